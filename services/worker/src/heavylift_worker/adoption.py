"""Messages of stock Celery producers: their arguments become a job's input."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from pydantic import BaseModel

from heavylift.errors import HeavyliftError
from heavylift.model import JobError
from heavylift.operations import Ending, Outcome

_FOLLOWED = {"callbacks": "link", "errbacks": "link_error", "chain": "chain", "chord": "chord"}
"""What a message embeds that Celery's own worker would send on, and how producers call it."""


class NotAdoptableError(HeavyliftError):
    """A stock producer's message that no input can be made of; its sentence says what to send instead."""


def adopted_input(message: dict[str, Any], model: type[BaseModel]) -> bytes | Ending:
    """Return the input as JSON, or how the attempt ends before its start: too early (`eta`), too late (`expires`).

    `delay({...})` gives the whole input, `delay(a, b, c=…)` its fields in the model's order.

    Raises
    ------
    NotAdoptableError
        The message is pickled, its arguments fit no field, or other tasks are to follow it.

    """
    args, kwargs = _arguments(message)
    headers = message["headers"]
    now = datetime.now(UTC)
    expires, eta = _moment(headers.get("expires")), _moment(headers.get("eta"))
    if expires and expires <= now:
        error = JobError(type="expired", message=f"It was to start before {expires.isoformat()}.")
        return Ending(Outcome.FAILED, error=error, reason="expired")
    if eta and eta > now:
        # Rounded up: by the millisecond Redis counts in, it must not come back too early.
        return Ending(Outcome.RELEASED, reason="eta", delay=eta - now + timedelta(milliseconds=1))
    if len(args) == 1 and isinstance(args[0], dict) and not kwargs:
        return orjson.dumps(args[0])
    fields = list(model.model_fields)
    if len(args) > len(fields):
        raise NotAdoptableError(f"{len(args)} positional arguments for the {len(fields)} fields of the input.")
    return orjson.dumps({**dict(zip(fields, args, strict=False)), **kwargs})


def _arguments(message: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    if message.get("content-type") != "application/json":
        raise NotAdoptableError(
            f"It was sent as {message.get('content-type')}; set task_serializer='json' in the producer."
        )
    body = message["body"]
    try:
        if message.get("properties", {}).get("body_encoding") == "base64":
            body = base64.b64decode(body)
        args, kwargs, *rest = orjson.loads(body)
        args, kwargs, embedded = list(args), dict(kwargs), dict(rest[0] or {}) if rest else {}
    except (TypeError, ValueError) as error:
        raise NotAdoptableError("Its body is not Celery's protocol 2 ([args, kwargs, embed]).") from error
    if followed := [word for name, word in _FOLLOWED.items() if embedded.get(name)]:
        raise NotAdoptableError(
            f"It carries a Celery {' and '.join(followed)}, and what is in it would never run: "
            "send the task alone, and submit what follows when its job has ended."
        )
    return args, kwargs


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise NotAdoptableError(f"Its eta or expires is not a time in ISO 8601: {text!r}.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
