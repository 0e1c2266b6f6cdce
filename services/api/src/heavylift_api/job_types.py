"""The job types that workers published, with validators for their inputs.

The types change with a deployment, submits come by the thousand: what was read is used for `FRESH`, then read again
behind the submits' backs, and only after `STALE` are submits made to wait for it. A type that is not known is worth
a look at once. Any number of requests share one reading.
"""

from __future__ import annotations

import asyncio
import difflib
import time
from collections.abc import Callable, Iterable

import jsonschema_rs
import structlog
from pydantic import JsonValue

from heavylift.errors import StoreUnavailable
from heavylift.model import JobTypeInfo
from heavylift.operations import read_types
from heavylift_api import metrics
from heavylift_api.errors import FieldError, UnknownJobType
from heavylift_api.pointers import pointer
from heavylift_api.store import BoundedStore

FRESH = 2.0
"""Seconds: how late a new schema may be noticed under load."""

STALE = 10.0
"""Seconds: beyond this a type may well have changed since."""

RECHECK = 0.2
"""Seconds between two looks for types that are not there: a client's spelling mistake must not become Redis's load."""

MAX_ERRORS = 20
"""Violations reported at once; more help nobody."""

log = structlog.get_logger()


class PublishedType:
    """A job type and its compiled input schema."""

    def __init__(self, info: JobTypeInfo) -> None:
        self.info = info
        self._validator = _compile(info)

    def violations(self, value: JsonValue) -> list[FieldError]:
        """Return what is wrong with an input, with pointers into a request that holds it under `input`."""
        if self._validator is None:
            return []
        try:
            if self._validator.is_valid(value):
                return []
            found = [error for violation in self._validator.iter_errors(value) for error in _field_errors(violation)]
        except ValueError as error:
            return [FieldError(pointer="/input", detail=str(error))]
        return found[:MAX_ERRORS]


class JobTypes:
    """The published types, read from the store and kept for a moment."""

    def __init__(self, store: BoundedStore, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._types: dict[str, PublishedType] = {}
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    async def get(self, name: str) -> PublishedType:
        """Return a type. Raises UnknownJobType or StoreUnavailable."""
        await self._refresh_if_old()
        if name not in self._types and self._age() > RECHECK:
            await self._refresh()
        try:
            return self._types[name]
        except KeyError:
            raise _unknown(name, self._types) from None

    async def all(self) -> list[JobTypeInfo]:
        """Return all types by name. Raises StoreUnavailable."""
        await self._refresh_if_old()
        return [published.info for published in self._types.values()]

    async def _refresh_if_old(self) -> None:
        age = self._age()
        if age > STALE:
            await self._refresh()
        elif age > FRESH:
            self._start_reading()

    async def _refresh(self) -> None:
        # Shielded: a client that leaves must not take the reading from the others who wait for it.
        await asyncio.shield(self._start_reading())

    def _start_reading(self) -> asyncio.Task[None]:
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(_log_failure)
        return self._reading

    async def _read(self) -> None:
        infos = await self._store.run(read_types(self._store.keys))
        self._types = {name: self._kept(info) or PublishedType(info) for name, info in infos.items()}
        self._read_at = self._clock()
        for name in infos:
            metrics.create_submit_series(name)

    def _kept(self, info: JobTypeInfo) -> PublishedType | None:
        known = self._types.get(info.type)
        return known if known is not None and known.info == info else None

    def _age(self) -> float:
        return self._clock() - self._read_at


def _compile(info: JobTypeInfo) -> jsonschema_rs.Validator | None:
    """Return the validator, or None for a schema that is none: the worker, which checks again, has the last word."""
    try:
        # Linear-time patterns, and no fetching of remote references: workers publish schemas, clients choose values.
        return jsonschema_rs.validator_for(
            info.input_schema, offline=True, pattern_options=jsonschema_rs.RegexOptions()
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        log.warning("job_type_schema_unusable", job_type=info.type, reason=str(error))
        return None


def _field_errors(violation: jsonschema_rs.ValidationError) -> Iterable[FieldError]:
    """Return the violation at the fields it is about; for a missing or superfluous field that is the field itself."""
    path = ["input", *violation.instance_path]
    kind = violation.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        return [FieldError(pointer=pointer([*path, str(kind.property)]), detail="This field is required.")]
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        return [
            FieldError(pointer=pointer([*path, name]), detail="There is no such field.") for name in kind.unexpected
        ]
    return [FieldError(pointer=pointer(path), detail=violation.message)]


def _unknown(name: str, known: Iterable[str]) -> UnknownJobType:
    names = sorted(known)
    if not names:
        detail = (
            "No worker has published a job type yet. Start a worker that serves it; it publishes its types on start."
        )
    else:
        near = difflib.get_close_matches(name, names, n=1)
        detail = f"No worker has published a job type {name[:80]!r}." + (f" Did you mean {near[0]!r}?" if near else "")
    return UnknownJobType(
        detail, errors=[FieldError(pointer="/type", detail="Unknown job type.")], known_types=[*names]
    )


def _log_failure(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is None:
        return
    if isinstance(error, StoreUnavailable):
        log.warning("job_types_not_read", reason=str(error))
    else:
        log.error("job_types_not_read", exc_info=error)
