"""KEDA's external scaler as KEDA speaks to it: over gRPC, with the messages of its contract."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
import pytest

from heavylift.operations import scaling as ops
from heavylift_controller.keda.answers import Answers
from heavylift_controller.keda.constants import METRIC
from heavylift_controller.keda.externalscaler_pb2 import GetMetricsRequest, ScaledObjectRef
from heavylift_controller.keda.externalscaler_pb2_grpc import ExternalScalerStub
from heavylift_controller.keda.page import desired
from heavylift_controller.keda.published import ASKED, Published
from heavylift_controller.keda.server import serve
from heavylift_controller.scaler.served import Served, Serving
from heavylift_controller.scaler.status import PoolStatus, dump
from tests.integration.controller.actors import Board
from tests.waiting import wait_until

POOLS = ("images", "video")

SEEN = PoolStatus(
    pool="video",
    queues=("video",),
    waiting=3,
    running=0,
    oldest_age_seconds=0.0,
    current=0,
    desired=3,
    ready=0,
    draining=(),
    limiter="slo",
    reason="",
)


@dataclass
class Keda:
    """A controller's server, and a client as KEDA's operator is one."""

    board: Board
    served: Served = field(default_factory=Served)

    def __post_init__(self) -> None:
        self.published = Published(self.board.store)
        self._server = ExitStack()
        self.answers = Answers(lambda: POOLS, self.served, self.published)
        port = self._server.enter_context(serve(self.answers, host="127.0.0.1", port=0))
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._listeners: list[threading.Thread] = []
        self.stub = ExternalScalerStub(self._channel)

    def stop(self) -> None:
        """End the server: every stream has to end well."""
        self._server.close()
        for listener in self._listeners:
            listener.join(5)
            assert not listener.is_alive()

    def close(self) -> None:
        self.stop()
        self._channel.close()

    def put(self, number: int, *, active: bool, age: float = 0.0) -> None:
        self.served.put("video", Serving(number, active, time.monotonic() - age))

    def publish(self, status: PoolStatus) -> None:
        """Do what a leader does that is another process, and read it as our own loop does."""
        for at in (1.0, 2.0):
            text = dump(replace(status, decided_at=status.decided_at + at))
            self.board.store.run(ops.publish_pools(self.board.store.keys, {status.pool: text}))
            self.published.turn()

    def number(self, pool: str = "video") -> float:
        request = GetMetricsRequest(scaledObjectRef=reference(pool), metricName=METRIC)
        [value] = self.stub.GetMetrics(request, timeout=5).metricValues
        assert value.metricName == METRIC
        assert value.metricValue == value.metricValueFloat
        return value.metricValueFloat

    def is_active(self, pool: str = "video") -> bool:
        return self.stub.IsActive(reference(pool), timeout=5).result

    def refusal(self, pool: str = "video") -> tuple[grpc.StatusCode, str]:
        """Return the code and the words with which the pool has neither a number nor an activity."""
        first, second = (_refused(lambda: self.number(pool)), _refused(lambda: self.is_active(pool)))
        assert first == second
        return first

    def told(self) -> list[tuple[float, bool]]:
        """Return what a stream says from now on, each with the moment it came; the list grows."""
        said: list[tuple[float, bool]] = []

        def listen() -> None:
            answers = self.stub.StreamIsActive(reference("video"))
            said.extend((time.monotonic(), answer.result) for answer in answers)

        self._listeners.append(threading.Thread(target=listen, daemon=True))
        self._listeners[-1].start()
        return said


def _refused(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    assert isinstance(caught.value, grpc.Call)
    return caught.value.code(), caught.value.details() or ""


def reference(pool: str) -> ScaledObjectRef:
    return ScaledObjectRef(name="demo", namespace="work", scalerMetadata={"scalerAddress": "here:9091", "pool": pool})


@pytest.fixture
def keda(board: Board) -> Iterator[Keda]:
    keda = Keda(board)
    yield keda
    keda.close()


def test_the_hpa_is_told_to_ask_for_one_pod_a_worker(keda: Keda) -> None:
    [spec] = keda.stub.GetMetricSpec(reference("video"), timeout=5).metricSpecs
    assert (spec.metricName, spec.targetSize, spec.targetSizeFloat) == (METRIC, 1, 1.0)


def test_the_metric_is_known_before_anything_is_decided(keda: Keda) -> None:
    assert keda.stub.GetMetricSpec(reference("nothing-yet"), timeout=5).metricSpecs


def test_the_leaders_number_is_served(keda: Keda) -> None:
    keda.put(7, active=True)
    assert (keda.number(), keda.is_active()) == (7, True)
    keda.put(0, active=False)
    assert (keda.number(), keda.is_active()) == (0, False)


def test_an_unknown_pool_is_answered_with_those_there_are(keda: Keda) -> None:
    sentence = "There is no pool 'vidoe' here. There are: images, video."
    assert keda.refusal("vidoe") == (grpc.StatusCode.NOT_FOUND, sentence)


def test_a_trigger_that_names_no_pool_is_told_so(keda: Keda) -> None:
    code, sentence = keda.refusal("")
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "must name a pool" in sentence


def test_what_nobody_decides_on_is_not_zero(keda: Keda) -> None:
    assert keda.refusal()[0] is grpc.StatusCode.UNAVAILABLE
    keda.put(4, active=True, age=6)
    assert keda.refusal()[0] is grpc.StatusCode.UNAVAILABLE


def test_another_leaders_decisions_are_served_while_they_come(keda: Keda) -> None:
    assert keda.refusal()[0] is grpc.StatusCode.UNAVAILABLE
    keda.publish(SEEN)
    assert (keda.number(), keda.is_active()) == (3, True)
    keda.publish(replace(SEEN, desired=0, decided_at=5))
    assert (keda.number(), keda.is_active()) == (0, False)


def test_what_was_published_before_we_looked_may_be_old(keda: Keda) -> None:
    keda.refusal()
    keda.board.store.run(ops.publish_pools(keda.board.store.keys, {"video": dump(SEEN)}))
    keda.published.turn()
    keda.published.turn()
    assert keda.refusal()[0] is grpc.StatusCode.UNAVAILABLE


def test_a_frozen_pool_has_no_number(keda: Keda) -> None:
    keda.refusal()
    keda.publish(replace(SEEN, frozen=True, limiter="frozen: pods", decided_at=5))
    assert keda.refusal() == (grpc.StatusCode.UNAVAILABLE, "Pool 'video' is held as it is: frozen: pods.")


def test_a_pool_in_shadow_has_no_number(keda: Keda) -> None:
    keda.refusal()
    keda.publish(replace(SEEN, shadow=True))
    assert keda.refusal()[0] is grpc.StatusCode.UNAVAILABLE


def test_the_first_job_is_pushed_at_once(keda: Keda) -> None:
    keda.put(0, active=False)
    said = keda.told()
    wait_until(lambda: [each for _, each in said] == [False], what="the first word")
    moments: list[float] = []
    for active in (True, False, True):
        moments.append(time.monotonic())
        keda.put(3 * active, active=active)
        wait_until(lambda: len(said) > len(moments), what="a push")
    assert [each for _, each in said] == [False, True, False, True]
    delays = [at - moment for moment, (at, _) in zip(moments, said[1:], strict=True)]
    assert max(delays) < 0.25


def test_a_number_that_changes_is_no_push(keda: Keda) -> None:
    keda.put(1, active=True)
    said = keda.told()
    keda.put(2, active=True)
    keda.put(0, active=False)
    wait_until(lambda: said and said[-1][1] is False, what="the last word")
    assert [each for _, each in said] in ([True, False], [False])


def test_another_leaders_push_is_passed_on(keda: Keda) -> None:
    keda.refusal()
    keda.publish(replace(SEEN, desired=0))
    said = keda.told()
    wait_until(lambda: [each for _, each in said] == [False], what="the first word")
    keda.publish(replace(SEEN, decided_at=5))
    wait_until(lambda: said[-1][1], what="a push", timeout=0.5)


def test_while_nothing_is_decided_a_stream_stays_open(keda: Keda) -> None:
    said = keda.told()
    keda.refusal()
    assert said == []
    keda.put(1, active=True)
    wait_until(lambda: [each for _, each in said] == [True], what="the first word")


def test_a_stream_ends_well_with_the_server(keda: Keda) -> None:
    keda.put(1, active=True)
    stream = keda.stub.StreamIsActive(reference("video"))
    assert next(stream).result
    keda.stop()
    assert list(stream) == []
    assert stream.code() is grpc.StatusCode.OK


def test_the_number_is_had_as_json_too(keda: Keda) -> None:
    keda.put(7, active=True)
    assert desired(keda.answers, "/v1/pools/video/desired") == ("200 OK", {"desired": 7})
    keda.put(7, active=True, age=6)
    status, said = desired(keda.answers, "/v1/pools/video/desired") or ("", {})
    assert (status, list(said)) == ("503 Service Unavailable", ["reason"])
    status, said = desired(keda.answers, "/v1/pools/vidoe/desired") or ("", {})
    assert (status, said["reason"]) == ("404 Not Found", "There is no pool 'vidoe' here. There are: images, video.")
    assert desired(keda.answers, "/v1/pools/video") is None


def test_what_others_decide_is_read_only_while_somebody_asks(board: Board) -> None:
    now = [100.0]
    published = Published(board.store, clock=lambda: now[0])

    def readings() -> int:
        stats: Any = board.store.redis.info("commandstats")
        return stats.get("cmdstat_hgetall", {}).get("calls", 0)

    def turn() -> int:
        before = readings()
        published.turn()
        return readings() - before

    assert turn() == 0
    published.get("video")
    assert turn() == 1
    now[0] += ASKED + 1
    assert turn() == 0
