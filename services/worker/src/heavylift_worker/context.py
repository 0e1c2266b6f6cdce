"""The JobContext of a running attempt: everything it says goes through scripts that check the attempt's lease."""

from __future__ import annotations

import math
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import orjson
import structlog
from pydantic import JsonValue

from heavylift import Artifact, JobCancelled
from heavylift import operations as ops
from heavylift.artifacts import ArtifactStore, check_name, job_key
from heavylift.constants import PROGRESS_INTERVAL
from heavylift.errors import LeaseLost, StoreUnavailable
from heavylift.ids import JobId
from heavylift.model import Progress
from heavylift.store import Call, Store
from heavylift_worker.outcome import printable

logger = structlog.get_logger()

MAX_LINE = 8 * 1024
"""Characters of a log line and, as JSON, of its fields: a job's events lie in Redis's memory and go out to watchers."""


class AttemptContext:
    """See `heavylift.JobContext`."""

    def __init__(
        self,
        job_id: JobId,
        token: str,
        attempt: int,
        *,
        store: Store,
        storage: Callable[[], ArtifactStore],
        workdir: Path,
    ) -> None:
        self.id = str(job_id)
        self.attempt = attempt
        self.idempotency_key = self.id
        self.staged: dict[str, Artifact] = {}
        self.stopping = False
        """Set when somebody wants this attempt to stop: a cancel, or the worker's end."""
        self.told_to_stop = False
        """Set when the job's code has heard of it: what it returns from then on may be half done."""
        self._job_id = job_id
        self._token = token
        self._store = store
        self._storage = storage
        self._workdir = workdir
        self._progress_at = 0.0
        self._number_dropped = False
        self._lock = threading.Lock()

    @property
    def workdir(self) -> Path:
        """An empty folder of this attempt's own, made when it is first asked for."""
        self._workdir.mkdir(parents=True, exist_ok=True)
        return self._workdir

    @property
    def staging(self) -> str:
        """Where in artifact storage this attempt's files lie until it succeeds."""
        boot, _, number = self._token.partition(":")
        return job_key(self.id, f"{self.attempt}-{boot[:8]}-{number}")

    @property
    def cancelled(self) -> bool:
        """Whether the attempt should stop."""
        self.told_to_stop = self.told_to_stop or self.stopping
        return self.stopping

    def stop_if_cancelled(self) -> None:
        """Raise JobCancelled if the attempt should stop."""
        if self.cancelled:
            raise JobCancelled

    def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """Report progress, at most every PROGRESS_INTERVAL, and the last step always."""
        self.stop_if_cancelled()
        if not (math.isfinite(done) and (total is None or math.isfinite(total))):  # JSON has no such numbers
            self._drop_number(done, total)
            return
        text = None if message is None else printable(str(message))[:MAX_LINE]
        with self._lock:
            now = time.monotonic()
            last_step = total is not None and done >= total
            if now - self._progress_at < PROGRESS_INTERVAL.total_seconds() and not last_step:
                return
            self._progress_at = now
            progress = Progress(done=done, total=total, message=text, at=datetime.now(UTC))
            self._say(ops.report_progress(self._store.keys, self._job_id, self._token, progress))

    def log(self, message: str, **fields: JsonValue) -> None:
        """Add a line to the job's events. What JSON cannot hold is told as text, what is too long is cut."""
        text = printable(str(message))[:MAX_LINE]
        with self._lock:
            self._say(ops.report_log(self._store.keys, self._job_id, self._token, text, _writable(fields)))

    def input_file(self, key: str) -> Path:
        """Return a local file with an input artifact's content."""
        storage = self._storage()
        local = storage.local_path(key)
        if local is not None:
            return local
        target = self.workdir / "input" / Path(key).name
        target.parent.mkdir(exist_ok=True)
        storage.fetch(key, target)
        return target

    def artifact(self, name: str, content: Path | bytes | IO[bytes], *, content_type: str | None = None) -> Artifact:
        """Stage a file under a name of the job's own."""
        check_name(name)
        key = f"{self.staging}/{name}"
        kind = content_type or "application/octet-stream"
        stored = self._storage().write_sync(key, content, content_type=kind)
        artifact = Artifact(name=name, key=key, size=stored.size, sha256=stored.sha256, content_type=kind)
        with self._lock:
            self.staged[name] = artifact
        return artifact

    def clean_up(self, *, published: bool) -> None:
        """Remove the attempt's folder, and its staged files unless they were published."""
        if self._workdir.exists():
            shutil.rmtree(self._workdir, ignore_errors=True)
        if self.staged and not published:
            self._storage().delete_prefix(self.staging)

    def _drop_number(self, done: float, total: float | None) -> None:
        if not self._number_dropped:
            self._number_dropped = True
            logger.warning("progress_dropped", job=self.id, done=str(done), total=str(total))

    def _say(self, call: Call[bool]) -> None:
        # What a job says on its way is worth less than the job: without Redis it goes on, and says it no more.
        try:
            if not self._store.run(call):
                raise LeaseLost(LeaseLost.__doc__)
        except StoreUnavailable as error:
            logger.warning("report_dropped", job=self.id, error=str(error))


def _writable(fields: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return a log line's fields as JSON can hold them, in MAX_LINE characters."""
    written: dict[str, JsonValue] = {}
    room = MAX_LINE
    for name, value in fields.items():
        text = _json(value)
        room -= len(text)
        if room < 0:
            written[printable(name)] = "(too long to be told)"
            break
        written[printable(name)] = orjson.loads(text)
    return written


def _json(value: object) -> bytes:
    try:
        return orjson.dumps(value, default=str)
    except (TypeError, ValueError):
        return orjson.dumps(printable(str(value)))
