"""What else in the namespace matters for scaling, listed now and then: other autoscalers, and quotas."""

from __future__ import annotations

import threading
import time

import structlog

from heavylift_controller.cluster.api import Api, ApiError, JsonObject

EVERY = 15.0
"""Seconds. They change rarely, and until it is seen nothing worse happens than that a pod is refused."""
ABSENT = (403, 404)

log = structlog.get_logger()


class Listing:
    """The objects of some kinds as they were lately. A kind that is not there, or may not be read, has none."""

    def __init__(self, api: Api, *paths: str) -> None:
        self._api = api
        self._found: dict[str, list[JsonObject]] = {path: [] for path in paths}
        self._troubles: dict[str, int] = {}
        self._stop = threading.Event()
        self.complete = threading.Event()
        """Set once all of them have been asked for."""
        self._thread = threading.Thread(target=self._run, name="listing", daemon=True)

    def start(self) -> None:
        """Start to list."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait for it a little."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def objects(self, path: str) -> list[JsonObject]:
        """Return the objects of a path as they were at the last look."""
        return self._found[path]

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            answered = [self._list(path) for path in self._found]
            if all(answered):
                self.complete.set()
            pause = EVERY if self.complete.is_set() else 1.0
            self._stop.wait(max(0.0, began + pause - time.monotonic()))

    def _list(self, path: str) -> bool:
        """Read one kind; returns whether an answer came. What was known stays where none did."""
        try:
            self._found[path], _ = self._api.list_all(path)
            self._troubles.pop(path, None)
        except ApiError as error:
            if self._troubles.get(path) != error.status and not self._stop.is_set():
                # Told once: without KEDA there are no ScaledObjects, and there may be no right to read quotas.
                tell = log.info if error.status in ABSENT else log.warning
                tell("not_listed", path=path, reason=str(error))
            self._troubles[path] = error.status
            if error.status in ABSENT:
                self._found[path] = []
            return error.status in ABSENT
        return True
