"""A copy of all objects of a kind, kept equal to the API server's by a thread: one list, then a watch.

A copy that has silently stopped following is the danger. So the API server is asked to end the watch every few seconds,
a connection whose other end is gone is found out by TCP's own probes (api.py), and one that broke makes the copy as old
as the last thing that came over it. What is not guaranteed: the copy may lag by what is on the wire. Whoever needs the
truth reads it from the API server.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Generic, TypeVar

import orjson
import structlog
import urllib3

from heavylift_controller.cluster.absence import ABSENT, Absence
from heavylift_controller.cluster.api import Api, ApiError, JsonObject
from heavylift_controller.cluster.fields import name, number, part, text

WATCH_SECONDS = 20
"""How long the server keeps a watch open."""
GRACE_SECONDS = 5
"""How much later than that it may end before it counts as hanging."""
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
"""Seconds between attempts to connect; each failure doubles the pause."""
ABSENT_PAUSE = 15.0
"""Seconds between attempts to read a kind that the cluster does not have, or does not let us read."""
GONE = 410
"""The server no longer knows the version to go on from."""

T = TypeVar("T")

log = structlog.get_logger()


class Watch(Generic[T]):
    """Keeps the objects of a path. `read` makes of an object what is kept of it."""

    def __init__(
        self,
        api: Api,
        path: str,
        read: Callable[[JsonObject], T],
        *,
        selector: str = "",
        absence: Absence | None = None,
    ) -> None:
        """Without `absence`, a kind that is not there or may not be read is an error, tried again like any other."""
        self._api = api
        self._path = path
        self._read = read
        self._selector = selector
        self._absence = absence
        self._objects: dict[str, T] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._version = ""
        self._open: urllib3.HTTPResponse | None = None
        self._current_at = -math.inf
        self._failure = ""
        self.absent = False
        """Whether the newest answer is that the kind is not there or may not be read; its objects stay until that has
        lasted."""
        self._thread = threading.Thread(target=self._run, name=f"watch-{path.rpartition('/')[2]}", daemon=True)

    def start(self) -> None:
        """Start to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait for it a little."""
        self._stop.set()
        with self._lock:
            _end(self._open)
        if self._thread.is_alive():
            self._thread.join(2.0)

    def objects(self) -> Mapping[str, T]:
        """Return what is known, by name."""
        with self._lock:
            return dict(self._objects)

    def age(self) -> float:
        """Return the seconds since the copy was last known to be current; infinite before the first time."""
        with self._lock:
            return 0.0 if self._open is not None else time.monotonic() - self._current_at

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stop.is_set():
            try:
                self._follow()
                pause, self._failure = FIRST_PAUSE, ""
                continue
            except ApiError as error:
                if error.status == GONE:
                    self._version = ""
                wait = self._note(error) or pause
            except Exception:  # the thread's boundary: it must go on, from a fresh list
                log.exception("watch_failed", path=self._path)
                self._version, wait = "", LONGEST_PAUSE
            self._stop.wait(wait * random.uniform(0.5, 1.0))  # noqa: S311
            pause = min(pause * 2, LONGEST_PAUSE)

    def _note(self, error: ApiError) -> float:
        """Tell of an error once; returns how long to wait if it is not going to pass by itself."""
        absent = self._absence is not None and error.status in ABSENT
        nothing = self._absence is not None and self._absence.believed(error.status, time.monotonic())
        self.absent = absent
        if absent:
            with self._lock:
                self._objects, self._version = {} if nothing else self._objects, ""
        if str(error.status) != self._failure and error.status != GONE and not self._stop.is_set():
            log.warning("watch_absent" if absent else "watch_broken", path=self._path, reason=str(error))
        self._failure = str(error.status)
        return ABSENT_PAUSE if nothing else 0.0

    def _follow(self) -> None:
        """List if there is nothing to go on from, then watch until the server ends it. Raises ApiError."""
        if not self._version:
            self._list()
        query = {
            "watch": "1",
            "allowWatchBookmarks": "1",
            "resourceVersion": self._version,
            "timeoutSeconds": str(WATCH_SECONDS),
        } | ({"labelSelector": self._selector} if self._selector else {})
        with self._api.stream(self._path, query, read_seconds=WATCH_SECONDS + GRACE_SECONDS) as response:
            self._opened(response)
            try:
                for line in response:
                    self._take(orjson.loads(line))
                self._seen()  # ended in peace: it was current until now
            finally:
                self._opened(None)

    def _list(self) -> None:
        asked_at = time.monotonic()
        objects, version = self._api.list_all(self._path, selector=self._selector)
        read = {name(each): self._read(each) for each in objects}
        with self._lock:
            self._objects, self._version, self._current_at = read, version, asked_at
        self.absent = False
        if self._absence is not None:
            self._absence.listed()

    def _opened(self, response: urllib3.HTTPResponse | None) -> None:
        with self._lock:
            self._open = response
            if response is not None:
                self._current_at = time.monotonic()
            if self._stop.is_set():
                _end(response)

    def _seen(self) -> None:
        with self._lock:
            self._current_at = time.monotonic()

    def _take(self, event: object) -> None:
        """Apply one event of the watch. Raises ApiError for one that ends it."""
        kind, found = text(event, "type"), dict(part(event, "object"))
        if kind == "ERROR":
            raise ApiError(f"watch {self._path}: {text(found, 'message')}", status=number(found, "code"))
        read = [self._read(found)] if kind in ("ADDED", "MODIFIED") else []
        with self._lock:
            self._current_at = time.monotonic()
            self._version = text(found, "metadata", "resourceVersion") or self._version
            if read:
                [self._objects[name(found)]] = read
            elif kind == "DELETED":
                self._objects.pop(name(found), None)


def _end(response: urllib3.HTTPResponse | None) -> None:
    """Wake up who reads a response: for him it ends."""
    with suppress(ValueError, RuntimeError, OSError):  # it is at its end already
        if response is not None:
            response.shutdown()
