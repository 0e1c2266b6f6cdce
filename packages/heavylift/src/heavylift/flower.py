"""What Flower shows: one message an attempt in the format of Celery's task events, published by the finishing script.

Workers send no other task event: stock events (`-E`) halve the throughput of short jobs. With nobody listening the
PUBLISH costs nothing that can be measured.

Source of the format: https://docs.celeryq.dev/en/stable/userguide/monitoring.html#event-reference and the fanout
exchange of kombu's Redis transport (channel `/<db>.<exchange>/<routing key>`).
"""

from __future__ import annotations

import base64
import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import JsonValue

from heavylift.settings import Settings
from heavylift.store import Call

HEARTBEAT_SECONDS = 30
"""How often a worker says that it lives; Flower takes it for gone after two of these."""

_EXCHANGE = "celeryev"
_ATTEMPTS = "task.multi"
_WORKER_EVENTS = ("heartbeat", "offline")


def channels(settings: Settings) -> tuple[str, ...]:
    """Return every channel that workers on the settings' Redis tell events on."""
    prefix = _channel_prefix(settings)
    return (prefix + _ATTEMPTS, *(f"{prefix}worker.{event}" for event in _WORKER_EVENTS))


def events_of(message: bytes) -> list[dict[str, Any]]:
    """Return the events a message holds. Raises ValueError, TypeError or LookupError for one that is none of ours."""
    body = orjson.loads(base64.b64decode(orjson.loads(message)["body"]))
    return [{**event} for event in (body if isinstance(body, list) else [body])]


@dataclass(frozen=True, slots=True)
class Flower:
    """Makes events of one worker."""

    channel_prefix: str
    worker: str
    _count: list[int] = field(default_factory=lambda: [0])

    @classmethod
    def of(cls, settings: Settings, worker: str) -> Flower:
        """Return the maker of events for a worker on the settings' Redis database."""
        return cls(_channel_prefix(settings), worker)

    def attempt_ended(
        self, job_id: str, job_type: str, *, succeeded: bool, facts: Mapping[str, JsonValue]
    ) -> tuple[str, bytes]:
        """Return channel and message that tell of an attempt's end: received, started, runtime, exception, …"""
        event = {
            **self._event("task-succeeded" if succeeded else "task-failed"),
            "uuid": job_id,
            "name": job_type,
            "args": "()",
            "kwargs": "{}",
            **facts,
        }
        return self._message(_ATTEMPTS, [event])

    def worker_says(self, event: str, *, active: int, processed: int) -> Call[None]:
        """Return the Call that tells of the worker's life: `heartbeat`, or `offline` as its last word."""
        facts = {"freq": HEARTBEAT_SECONDS, "active": active, "processed": processed, "loadavg": os.getloadavg()}
        sender = {"sw_ident": "heavylift", "sw_ver": "0.1", "sw_sys": os.uname().sysname}
        told = self._message(f"worker.{event}", {**self._event(f"worker-{event}"), **facts, **sender})
        return Call([("PUBLISH", *told)], lambda _: None)

    def _event(self, kind: str) -> dict[str, JsonValue]:
        self._count[0] += 1
        return {
            "type": kind,
            "hostname": self.worker,
            "pid": os.getpid(),
            "timestamp": time.time(),
            "clock": self._count[0],
            "utcoffset": 0,
        }

    def _message(self, routing_key: str, body: object) -> tuple[str, bytes]:
        properties = {
            "delivery_mode": 1,
            "delivery_info": {"exchange": _EXCHANGE, "routing_key": routing_key},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
        }
        message = {
            "body": base64.b64encode(orjson.dumps(body)).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {"hostname": self.worker},
            "properties": properties,
        }
        return self.channel_prefix + routing_key, orjson.dumps(message)


def _channel_prefix(settings: Settings) -> str:
    return f"{settings.key_prefix}/{settings.redis_address.database}.{_EXCHANGE}/"
