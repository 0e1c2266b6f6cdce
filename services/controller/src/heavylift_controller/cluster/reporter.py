"""Tells people what was decided, in WorkerPools and Events, in a thread: whoever decides never waits for that.

Of a pool's status only the newest counts, and of what happened, what there is room for: telling is not deciding.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

import structlog

from heavylift_controller.cluster.api import Api, ApiError, JsonObject
from heavylift_controller.cluster.caches import APPS, Caches
from heavylift_controller.cluster.crd_version import API_VERSION, KIND, Definition, read_definition
from heavylift_controller.cluster.deployments import SeenDeployment
from heavylift_controller.cluster.events import GROUP, Echo, Note, event
from heavylift_controller.cluster.fields import Json, name, number, part, text
from heavylift_controller.cluster.overrides import overrides_of
from heavylift_controller.cluster.pool_status import status_of
from heavylift_controller.cluster.signature import sign
from heavylift_controller.cluster.workerpools import WorkerPools
from heavylift_controller.scaler.platform import Leadership
from heavylift_controller.scaler.pools import Pool
from heavylift_controller.scaling import Decision

APART = 2.0
"""Least seconds between two writes of a pool's status."""
LOOK = 0.5
"""Seconds between looks for what may be written by now."""
MAKE = 15.0
"""Seconds between looks for WorkerPools that are missing."""
HOLDS = 5.0
"""Seconds between looks for holds whose time is over."""
DEFINITION = 60.0
"""Seconds between looks at the definition of WorkerPool."""
MOST_NOTES = 256

log = structlog.get_logger()


class Reporter:
    """Writes statuses and Events."""

    def __init__(
        self,
        api: Api,
        caches: Caches,
        pools: Callable[[], Mapping[str, Pool]],
        leadership: Leadership,
        *,
        instance: str,
    ) -> None:
        self._api = api
        self._caches = caches
        self._pools = pools
        self._leadership = leadership
        self._instance = instance
        self._workerpools = WorkerPools(api)
        self._echo = Echo()
        self._statuses: dict[str, tuple[Decision, Json]] = {}
        self._notes: deque[Note] = deque(maxlen=MOST_NOTES)
        self._written: dict[str, float] = {}
        self._troubles: dict[str, int] = {}
        self._definition = Definition(present=True)
        self._due: dict[str, float] = {}
        """What is done now and then -> when it is to be done again."""
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)

    def start(self) -> None:
        """Start to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what happened until now, and stop; waits for that a little."""
        self._stopped = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def show(self, pool: str, decision: Decision, status: Json) -> None:
        """Have a pool's status written, in place of an earlier one that has not been yet."""
        self._statuses[pool] = decision, status

    def note(self, note: Note) -> None:
        """Have an Event written, unless the same was told lately. The oldest is left out where there are too many."""
        self._notes.append(note)
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait(LOOK)
            self._wake.clear()
            last = self._stopped
            try:
                self._turn()
            except Exception:  # the thread's boundary: it must go on
                log.exception("report_failed")
            if last:
                return

    def _turn(self) -> None:
        while self._notes:
            note = self._notes.popleft()
            if self._echo.fresh(note, time.monotonic()):
                self._attempt("event", lambda note=note: self._tell(note))
        if not self._stopped and self._leadership.epoch() is not None:
            self._prepare()
            self._sign()
            self._write_statuses()

    def _prepare(self) -> None:
        """Look at the definition, make WorkerPools that are missing and end holds, now and then."""
        now = time.monotonic()
        if now >= self._due.get("definition", 0.0):
            self._due["definition"] = now + DEFINITION
            self._attempt("definition", self._look_at_definition)
        if now >= self._due.get("workerpools", 0.0) and not self._caches.workerpools_absent:
            self._due["workerpools"] = now + MAKE
            self._attempt("workerpools", self._make)
        if now >= self._due.get("holds", 0.0):
            self._due["holds"] = now + HOLDS
            self._attempt("holds", self._end_holds)

    def _look_at_definition(self) -> None:
        found = read_definition(self._api)
        if found.trouble and found != self._definition:
            log.warning("workerpool_definition", trouble=found.trouble)
            for pool in self._pools():
                self.note(Note(pool, "WorkerPoolDefinition", found.trouble, warning=True))
        self._definition = found

    def _make(self) -> None:
        deployments = {each.name: each.reference for each in self._caches.deployments().values()}
        made = self._workerpools.ensure(self._pools(), deployments, self._caches.workerpools())
        if made:
            log.info("workerpools_made", names=made)

    def _end_holds(self) -> None:
        known = self._caches.workerpools()
        own = [known[pool.resource] for pool in self._pools().values() if pool.resource in known]
        if ended := self._workerpools.end_holds(own, now=time.time()):
            log.info("holds_ended", names=ended)

    def _sign(self) -> None:
        """Have it noted who sets the numbers that are ours to set."""
        deployments = self._caches.deployments()
        for pool in self._pools().values():
            deployment = deployments.get(pool.deployment)
            if deployment and not deployment.signed and not pool.shadow and not self._caches.owner(deployment):
                self._attempt(f"signature of {deployment.name}", lambda n=deployment.name: sign(self._api, n))

    def _write_statuses(self) -> None:
        now = time.monotonic()
        known, deployments, pools = self._caches.workerpools(), self._caches.deployments(), self._pools()
        for shown in [each for each in self._statuses if now - self._written.get(each, 0.0) >= APART]:
            decision, status = self._statuses.pop(shown)
            pool = pools.get(shown)
            workerpool = known.get(pool.resource) if pool else None
            deployment = deployments.get(pool.deployment) if pool else None
            if pool and workerpool and deployment:
                content = self._status(pool, workerpool, deployment, decision, status)
                self._attempt(shown, lambda n=shown, p=pool, c=content: self._write(n, p, c))

    def _write(self, shown: str, pool: Pool, content: JsonObject) -> None:
        now = time.monotonic()
        if self._workerpools.patch_status(pool.resource, content, now=now):
            self._written[shown] = now

    def _status(
        self, pool: Pool, workerpool: Json, deployment: SeenDeployment, decision: Decision, status: Json
    ) -> JsonObject:
        _, ignored = overrides_of(workerpool, queues=pool.queues)
        return status_of(
            decision,
            status,
            selector=str(deployment.selector),
            generation=number(workerpool, "metadata", "generation"),
            previous=part(workerpool, "status"),
            trouble=self._definition.trouble,
            ignored=ignored,
            owner=self._caches.owner(deployment),
        )

    def _tell(self, note: Note) -> None:
        pool = self._pools().get(note.pool)
        workerpool = self._caches.workerpools().get(pool.resource) if pool else None
        deployment = self._caches.deployments().get(pool.deployment) if pool else None
        about = {}
        if workerpool:
            about = _reference(API_VERSION, KIND, workerpool)
        elif deployment:
            about = _reference(APPS, "Deployment", deployment.reference)
        if about:
            told = event(note, about, namespace=self._api.namespace, instance=self._instance)
            self._api.request("POST", self._api.path(GROUP, "events"), told)

    def _attempt(self, what: str, act: Callable[[], object]) -> None:
        """Do it; a failure is logged once, until it is another one or none."""
        try:
            act()
            self._troubles.pop(what, None)
        except ApiError as error:
            if self._troubles.get(what) != error.status:
                log.warning("not_told", what=what, reason=str(error))
            self._troubles[what] = error.status


def _reference(version: str, kind: str, obj: Json) -> dict[str, str]:
    return {"apiVersion": version, "kind": kind, "name": name(obj), "uid": text(obj, "metadata", "uid")}
