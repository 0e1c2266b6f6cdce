"""What else in the namespace matters for scaling, listed now and then: other autoscalers, and quotas."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from heavylift_controller.cluster.absence import ABSENT, Absence
from heavylift_controller.cluster.api import Api, ApiError, JsonObject

EVERY = 15.0
"""Seconds. They change rarely, and until it is seen nothing worse happens than that a pod is refused."""

log = structlog.get_logger()


class Listing:
    """The objects of some kinds as they were lately. A kind that is not there, or may not be read, has none.

    That is believed once it has lasted (absence.py).
    """

    def __init__(self, api: Api, *paths: str, may_read: Callable[[], bool] = lambda: True) -> None:
        """`may_read` tells whether the server lets us read something else now."""
        self._api = api
        self._found: dict[str, list[JsonObject]] = {path: [] for path in paths}
        self._absences = {path: Absence(may_read) for path in paths}
        self._troubles: dict[str, int] = {}
        self._stop = threading.Event()
        self.complete = threading.Event()
        """Set once of each it is known what there is, if only that there is nothing."""
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

    def absent(self, path: str) -> bool:
        """Return whether the newest answer is that the kind is not there or may not be read."""
        return self._troubles.get(path) in ABSENT

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            for path in self._found:
                self._list(path)
            if all(absence.known for absence in self._absences.values()):
                self.complete.set()
            pause = EVERY if self.complete.is_set() else 1.0
            self._stop.wait(max(0.0, began + pause - time.monotonic()))

    def _list(self, path: str) -> None:
        """Read one kind. What was known stays where no answer came, or none that is believed."""
        try:
            self._found[path], _ = self._api.list_all(path)
            self._absences[path].listed()
            self._troubles.pop(path, None)
        except ApiError as error:
            if self._troubles.get(path) != error.status and not self._stop.is_set():
                # Told once: without KEDA there are no ScaledObjects, and there may be no right to read quotas.
                tell = log.info if error.status in ABSENT else log.warning
                tell("not_listed", path=path, reason=str(error))
            self._troubles[path] = error.status
            if self._absences[path].believed(error.status, time.monotonic()):
                self._found[path] = []
