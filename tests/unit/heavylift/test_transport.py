"""The transport: what it hands to the worker, and the hooks of kombu, Celery and billiard that we override or rely on.

A new version of them may change a private hook without a word. These tests fail then: read the changed code, run
tests/integration/worker, and only then correct the line here.
"""

from __future__ import annotations

import importlib.metadata
import inspect
from typing import Any

import orjson
import pytest
from billiard.common import human_status
from celery import Task
from celery.concurrency.asynpool import AsynPool
from celery.concurrency.prefork import TaskPool
from celery.worker import WorkController, state
from celery.worker.consumer import Consumer
from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES, get_transport_cls, virtual
from kombu.transport import redis as stock

from heavylift.envelope import message
from heavylift.ids import new_job_id
from heavylift.model import Priority
from heavylift.operations import Claim
from heavylift.transport import CLAIM_HEADER, Channel, QoS, Transport, payload, register
from heavylift_worker.consumer import JobConsumer
from heavylift_worker.request import _EXIT_CODE, _SIGNAL
from heavylift_worker.worker import Controller


@pytest.mark.parametrize(
    ("package", "version"),
    [("celery", "5.7.0"), ("kombu", "5.7.0"), ("billiard", "4.3.2"), ("redis", "6.4.0")],
)
def test_the_versions_are_those_we_have_read(package: str, version: str) -> None:
    assert importlib.metadata.version(package) == version


@pytest.mark.parametrize(
    ("ours", "theirs", "names"),
    [
        (
            Channel,
            stock.Channel,
            ["__init__", "_get_pool", "_brpop_start", "_brpop_read", "_poll_error", "close"],
        ),
        (QoS, virtual.QoS, ["can_consume", "append", "ack", "reject", "restore_unacked"]),
        (QoS, stock.QoS, ["restore_visible"]),
        (
            JobConsumer,
            Consumer,
            ["start", "register_with_event_loop", "ensure_connected", "on_close", "on_ready", "on_unknown_task"],
        ),
        (Controller, WorkController, ["terminate"]),
    ],
)
def test_what_we_override_is_still_called_so(ours: type, theirs: type, names: list[str]) -> None:
    for name in names:
        assert name in vars(ours)
        assert callable(getattr(theirs, name)), f"{theirs.__name__}.{name} is gone"
        _assert_takes_as_much(getattr(ours, name), getattr(theirs, name))


def _assert_takes_as_much(ours: Any, theirs: Any) -> None:
    """Every call that theirs takes by position, ours takes."""
    wanted = [each for each in inspect.signature(theirs).parameters.values() if each.kind is each.POSITIONAL_OR_KEYWORD]
    parameters = inspect.signature(ours).parameters.values()
    taken = [each for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    assert any(each.kind is each.VAR_POSITIONAL for each in parameters) or len(taken) >= len(wanted), ours


@pytest.mark.parametrize(
    ("owner", "name", "signature"),
    [
        (stock.MultiChannelPoller, "_register_BRPOP", "(self, channel)"),
        (stock.MultiChannelPoller, "_client_registered", "(self, channel, client, cmd)"),
        (stock.MultiChannelPoller, "_update_brpop_polling", "(self)"),
        (stock.MultiChannelPoller, "_pause_brpop", "(self, channel, fileno)"),
        (stock.MultiChannelPoller, "on_readable", "(self, fileno)"),
        (stock.MultiChannelPoller, "maybe_check_brpop_health", "(self)"),
        (stock.Channel, "_brpop_start", "(self, timeout=None)"),
        (stock.Channel, "_brpop_read", "(self, **options)"),
        (stock.Channel, "_get_pool", "(self, asynchronous=False)"),
        (stock.Channel, "_on_connection_disconnect", "(self, connection)"),
        (virtual.Transport, "_deliver", "(self, message, queue)"),
        (Task, "start_strategy", "(self, app, consumer, **kwargs)"),
        (TaskPool, "apply_async", "(self, target, args=None, kwargs=None, **options)"),
        (AsynPool, "flush", "(self)"),
        (AsynPool, "maintain_pool", "(self)"),
        (Consumer, "create_task_handler", "(self, promise=<class 'vine.promises.promise'>)"),
        (state, "maybe_shutdown", "()"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_what_we_rely_on_is_as_we_read_it(owner: Any, name: str, signature: str) -> None:
    assert str(inspect.signature(getattr(owner, name))) == signature


@pytest.mark.parametrize("name", ["_in_poll", "_brpop_sent_at", "brpop_timeout", "health_check_interval"])
def test_the_poller_reads_what_we_set_on_the_channel(name: str) -> None:
    assert f"channel.{name}" in inspect.getsource(stock.MultiChannelPoller)


@pytest.mark.parametrize(("status", "signal", "code"), [(-9, "9", None), (-11, "11", None), (3, None, "3")])
def test_billiard_tells_how_a_process_ended(status: int, signal: str | None, code: str | None) -> None:
    text = human_status(status)
    found_signal, found_code = _SIGNAL.search(text), _EXIT_CODE.search(text)
    assert (found_signal and found_signal[1], found_code and found_code[1]) == (signal, code)


def test_kombu_finds_our_transport() -> None:
    register()
    assert TRANSPORT_ALIASES["heavylift"] == "heavylift.transport:Transport"
    assert get_transport_cls("heavylift") is Transport
    assert Connection("heavylift://").transport_cls == "heavylift"


def test_a_claim_rides_in_its_message() -> None:
    job_id = new_job_id("video")
    text = message(job_id, "video.test", Priority.NORMAL)
    claim = Claim(job_id, "boot:1", text, "video.test", b"{}", attempt=1, alone=False)
    content = payload(claim)

    assert content["headers"][CLAIM_HEADER] is claim
    assert content["properties"]["delivery_tag"] == str(job_id)
    assert content["headers"]["task"] == "video.test"


def test_a_message_without_properties_gets_them() -> None:
    job_id = new_job_id("video")
    text = orjson.dumps({"headers": {"id": job_id.uuid, "task": "t"}})
    claim = Claim(job_id, "boot:1", text, "t", None, attempt=1, alone=False)
    assert payload(claim)["properties"] == {"delivery_tag": str(job_id)}
