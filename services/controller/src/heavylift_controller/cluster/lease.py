"""Who of several controllers leads: the holder of a Lease, renewed every second.

The invariant: whoever reads `left() > 0` is the only leader for that long. Nobody takes a Lease before having seen it
unchanged for its whole duration by its own clock, from after the holder's newest renewal was carried out; the holder
counts the same duration from before it asked for that renewal. So neither what the clocks say nor a process that is
frozen for a while matters, only that clocks run at about the same speed. The holder gives up some seconds earlier.

What is not guaranteed: a process may be frozen between reading `left()` and what it does then. What it does is guarded
by itself, by fencing in Redis and by a test in Kubernetes: of the number, and of the Deployment's version if it falls.

The official client's elector blocks its caller, ends the process when the Lease is lost, and judges by wall clocks.
"""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime

import structlog

from heavylift_controller.cluster.api import Api, ApiError, JsonObject
from heavylift_controller.cluster.fields import number, part, text

GROUP = "coordination.k8s.io/v1"
DURATION = 8.0
"""Seconds a Lease holds without renewal. Less, and an API server that is away for a moment would change the leader."""
RENEW = 1.0
"""Seconds between renewals, and between looks of those who wait."""
GIVE_UP = 5.0
"""Seconds without a renewal after which nothing is decided any more."""
REQUEST_SECONDS = 2.0
CONFLICT = 409
NOT_FOUND = 404

log = structlog.get_logger()


def running_clock() -> float:
    """Return seconds of a clock that nobody sets, and that also counts the time in which the machine was suspended."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


class Lease:
    """Takes part in the election, in a thread, until it is stopped. Implements `Leadership`."""

    def __init__(self, api: Api, name: str, identity: str) -> None:
        """`identity` must differ from that of every other process, also of an earlier one of the same pod."""
        self._api = api
        self._name = name
        self._identity = identity
        self._path = api.path(GROUP, "leases", name)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._record: JsonObject = {}
        """The Lease as it was last seen, or written by us; empty: there is none, or it is to be looked at."""
        self._version: str | None = None
        """Which version of it was seen by the last look; empty: there was none, None: no look yet."""
        self._unchanged_since = 0.0
        """When that version was first seen."""
        self._renewed_at = float("-inf")
        """When the newest renewal of ours that was carried out was asked for."""
        self._tenure = 0
        self._leading = False
        self._failure = ""
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def start(self) -> None:
        """Take part from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Take part no longer; a Lease that is held is given back, so that a successor need not wait for its end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2 * REQUEST_SECONDS)
        held = self.left() > 0
        with self._lock:
            self._leading = False
        if held:
            try:
                self._write(holder="", duration=1.0, taken=False)
                log.info("leadership_released", lease=self._name)
            except ApiError as error:
                log.warning("leadership_not_released", lease=self._name, reason=str(error))

    def epoch(self) -> int | None:
        """Return the number of this leadership among those of this process; None while it does not lead."""
        with self._lock:
            return self._tenure if self._leading and running_clock() - self._renewed_at < GIVE_UP else None

    def left(self) -> float:
        """Return for how many more seconds nobody else can lead; 0 while not leading."""
        with self._lock:
            return max(0.0, self._renewed_at + DURATION - running_clock()) if self._leading else 0.0

    def _run(self) -> None:
        while not self._stop.is_set():
            began = running_clock()
            try:
                self._turn()
                self._failure = ""
            except ApiError as error:
                if error.status == CONFLICT:
                    continue  # it is not as it was last seen: look again
                if str(error.status) != self._failure:
                    log.warning("lease_unreachable", lease=self._name, reason=str(error))
                self._failure = str(error.status)
            except Exception:  # the thread's boundary: without it nobody would ever lead again
                log.exception("lease_failed", lease=self._name)
            self._note_loss()
            self._stop.wait(max(0.0, began + RENEW * random.uniform(0.9, 1.1) - running_clock()))  # noqa: S311

    def _turn(self) -> None:
        """Renew, or look at who leads, and take what nobody has. Raises ApiError."""
        if not (self._leading and self._record):
            self._look()
            if self._holder() != self._identity:
                with self._lock:
                    self._leading = False
                if not self._free():
                    return
        self._renew()

    def _look(self) -> None:
        try:
            self._record = self._api.request("GET", self._path, once=True, read_seconds=REQUEST_SECONDS)
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            self._record = {}
        version = text(self._record, "metadata", "resourceVersion")
        if version != self._version:
            # The time after the answer: the holder's own count began before it asked for what is seen here.
            first = self._version is None and not version
            self._unchanged_since = float("-inf") if first else running_clock()
        self._version = version

    def _free(self) -> bool:
        """Tell whether nobody has the Lease: given back, never there, or not renewed for its duration.

        One that is suddenly gone was deleted by somebody, and its holder may not know it yet.
        """
        given_back = bool(self._record) and not self._holder()
        return given_back or running_clock() - self._unchanged_since > self._duration()

    def _renew(self) -> None:
        """Write the Lease as ours. Raises ApiError, with 409 where somebody else has written it meanwhile."""
        asked_at = running_clock()
        taken = self._holder() != self._identity
        try:
            self._write(holder=self._identity, duration=DURATION, taken=taken)
        except ApiError as error:
            if error.status in (CONFLICT, NOT_FOUND):
                self._record = {}  # to be looked at: it may have been an earlier request of ours that came late
            raise
        with self._lock:
            if not self._leading or asked_at - self._renewed_at >= GIVE_UP:
                self._tenure += 1
                log.info("leadership_won", lease=self._name, identity=self._identity)
            self._leading, self._renewed_at = True, asked_at

    def _write(self, *, holder: str, duration: float, taken: bool) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        seen = part(self._record, "spec")
        spec = {
            "holderIdentity": holder,
            "leaseDurationSeconds": int(duration),
            "acquireTime": now if taken else text(seen, "acquireTime") or now,
            "renewTime": now,
            "leaseTransitions": number(seen, "leaseTransitions") + int(taken),
        }
        version = text(self._record, "metadata", "resourceVersion")
        lease = {
            "apiVersion": GROUP,
            "kind": "Lease",
            "metadata": {"name": self._name} | ({"resourceVersion": version} if version else {}),
            "spec": spec,
        }
        method, path = ("PUT", self._path) if version else ("POST", self._api.path(GROUP, "leases"))
        self._record = self._api.request(method, path, lease, once=True, read_seconds=REQUEST_SECONDS)

    def _note_loss(self) -> None:
        with self._lock:
            lost = self._leading and running_clock() - self._renewed_at >= DURATION
            if lost:
                self._leading = False
        if lost:
            log.warning("leadership_lost", lease=self._name)

    def _holder(self) -> str:
        return text(self._record, "spec", "holderIdentity")

    def _duration(self) -> float:
        return max(DURATION, number(self._record, "spec", "leaseDurationSeconds"))
