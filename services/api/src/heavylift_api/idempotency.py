"""Idempotency-Key: a request that is sent again makes no second job (draft-ietf-httpapi-idempotency-key-header).

The first request with a key notes in Redis which job it makes, then submits that job; so does every repetition. To
submit a job that is there changes nothing: whichever step a crash falls behind, the next repetition goes on from there.
The note lives as long as the job is sure to, at most KEPT.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import re
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NamedTuple, Protocol

import orjson
from pydantic import JsonValue

from heavylift.constants import IDEMPOTENCY_HEADER
from heavylift.errors import StoreUnavailable
from heavylift.ids import JobId, new_job_id, parse_job_id
from heavylift.model import JobTypeInfo
from heavylift.store import Call
from heavylift.tasks import end
from heavylift_api.errors import FieldError, InvalidRequest, KeyReused, UploadInProgress
from heavylift_api.store import BoundedStore

KEPT = timedelta(hours=24)
"""How long a repetition is known as one."""

UPLOAD_LEASE = 60
"""Seconds after which a crashed upload does not keep its repetition away any more; a living one renews."""

_KEY = re.compile(r'"(?P<quoted>[^"\\\x00-\x1f\x7f-\xff]{1,255})"\Z|(?P<bare>[\x21\x23-\x7e]{1,255})\Z')


class Hash(Protocol):
    """What hashlib makes of a request."""

    def hexdigest(self) -> str:
        """Return the digest in hexadecimal."""


class RequestKey(NamedTuple):
    """A key, which is its caller's own."""

    caller: str
    text: str

    @classmethod
    def of(cls, caller: str, header: str | None) -> RequestKey | None:
        """Read the header, with the key in quotes or bare. Raises InvalidRequest."""
        if header is None:
            return None
        match = _KEY.match(header.strip())
        if match is None:
            detail = "Give 1 to 255 visible ASCII characters, best a UUID, in quotes or bare."
            raise InvalidRequest(errors=[FieldError(parameter=IDEMPOTENCY_HEADER, detail=detail)])
        return cls(caller, match["quoted"] or match["bare"])


class UploadClaim:
    """The right to be the one upload under a key. It is lost after UPLOAD_LEASE without Redis."""

    def __init__(self, store: BoundedStore, name: str) -> None:
        self._store = store
        self._name = name
        self._token = uuid.uuid4().hex.encode()

    async def take(self) -> None:
        """Claim it. Raises UploadInProgress or StoreUnavailable."""
        command = ("SET", self._name, self._token, "NX", "EX", UPLOAD_LEASE)
        if not await self._store.run(Call([command], lambda replies: replies[0] is not None)):
            raise UploadInProgress

    async def renew(self) -> None:
        """Keep it, as long as Redis can be reached. A claim that is gone, or another's by now, is not made anew."""
        while True:
            await asyncio.sleep(UPLOAD_LEASE / 3)
            with contextlib.suppress(StoreUnavailable):
                await self._store.run(Call([("EXPIRE", self._name, UPLOAD_LEASE)], lambda _: None))

    async def held(self) -> bool:
        """Return whether it still is ours: else a repetition may have put its file where ours is."""
        try:
            return await self._store.run(Call([("GET", self._name)], lambda replies: replies[0] == self._token))
        except StoreUnavailable:
            return False

    async def give_up(self) -> None:
        """Let the next one in. Raises StoreUnavailable."""
        if await self.held():
            await self._store.run(Call([("DEL", self._name)], lambda _: None))


class Idempotency:
    """Knows which job a key stands for."""

    def __init__(self, store: BoundedStore) -> None:
        self._store = store

    async def job_id(self, key: RequestKey, payload: bytes, info: JobTypeInfo) -> JobId:
        """Return the id of the job this request makes or made. Raises KeyReused or StoreUnavailable."""
        found = await self._note(key, hashlib.sha256(payload), {"job": str(new_job_id(info.queue))}, info.retention)
        return parse_job_id(str(found["job"]))

    async def batch(self, key: RequestKey, payload: Hash, infos: Sequence[JobTypeInfo]) -> tuple[str, dict[str, str]]:
        """Return the uuid that this batch's uuids come from, and the queue of each type as the first request found it.

        Raises KeyReused or StoreUnavailable.
        """
        queues = {info.type: info.queue for info in infos}
        facts: dict[str, JsonValue] = {"batch": new_job_id("batch").uuid, "queues": dict(queues)}
        found = await self._note(key, payload, facts, min(info.retention for info in infos))
        known = found["queues"]
        assert isinstance(known, dict)
        return str(found["batch"]), queues | {name: str(queue) for name, queue in known.items()}

    async def _note(
        self, key: RequestKey, payload: Hash, facts: Mapping[str, JsonValue], retention: timedelta
    ) -> dict[str, JsonValue]:
        """Return what the first request with this key noted, which may be this one."""
        fingerprint = payload.hexdigest()
        note = orjson.dumps({"fingerprint": fingerprint, **facts})
        name, seconds = self._name(key), max(int(min(KEPT, retention).total_seconds()), 1)
        commands = [("SET", name, note, "NX", "EX", seconds), ("GET", name)]
        stored = await self._store.run(Call(commands, lambda replies: replies[1]))
        assert isinstance(stored, bytes)
        found = orjson.loads(stored)
        if not hmac.compare_digest(found["fingerprint"], fingerprint):
            raise KeyReused
        return found

    @asynccontextmanager
    async def alone(self, key: RequestKey) -> AsyncGenerator[UploadClaim]:
        """Hold off repetitions while an upload is under way. Raises UploadInProgress or StoreUnavailable."""
        claim = UploadClaim(self._store, f"{self._name(key)}:open")
        await claim.take()
        renewal = asyncio.create_task(claim.renew())
        try:
            yield claim
        finally:
            await end(renewal)
            with contextlib.suppress(StoreUnavailable):  # it ends by itself
                await claim.give_up()

    def _name(self, key: RequestKey) -> str:
        digest = hashlib.sha256(f"{key.caller}\0{key.text}".encode()).hexdigest()
        return self._store.keys.idempotency(digest)
