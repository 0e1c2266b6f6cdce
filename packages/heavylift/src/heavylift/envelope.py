"""The Celery message of a job (task message protocol 2), built without Celery.

Ours carry the job's id only: the input lies in the record. `headers.heavylift` comes first, so that the claim script
finds the id without decoding JSON. tests/unit/heavylift/test_envelope.py holds the rest against Celery's own.

Source: https://docs.celeryq.dev/en/stable/internals/protocol.html#version-2
"""

from __future__ import annotations

import base64
import os
import socket
from functools import lru_cache

import orjson

from heavylift.ids import JobId
from heavylift.model import Priority

_NO_ARGUMENTS = base64.b64encode(
    orjson.dumps([[], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
).decode()

_SLOT = "\x00id\x00"


def message(job_id: JobId, type: str, priority: Priority) -> bytes:  # noqa: A002
    """Return the message as it lies in the queue's list."""
    return str(job_id).encode().join(_template(job_id.queue, type, priority))


@lru_cache(maxsize=1024)
def _template(queue: str, task: str, priority: Priority) -> list[bytes]:
    origin = f"{os.getpid()}@{socket.gethostname()}"
    headers = {
        "heavylift": _SLOT,
        "lang": "py",
        "task": task,
        "id": _SLOT,
        "shadow": None,
        "eta": None,
        "expires": None,
        "group": None,
        "group_index": None,
        "retries": 0,
        "timelimit": [None, None],
        "root_id": _SLOT,
        "parent_id": None,
        "argsrepr": "()",
        "kwargsrepr": "{}",
        "origin": origin,
        "ignore_result": True,
        "replaced_task_nesting": 0,
        "stamped_headers": None,
        "stamps": {},
    }
    properties = {
        "correlation_id": _SLOT,
        "reply_to": "",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": queue},
        "priority": int(priority),
        "body_encoding": "base64",
        "delivery_tag": _SLOT,
    }
    whole = {
        "headers": headers,
        "body": _NO_ARGUMENTS,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "properties": properties,
    }
    return orjson.dumps(whole).split(orjson.dumps(_SLOT)[1:-1])
