"""One pool under a leader: decide, do the next step towards it, tell.

What is remembered between two turns only spares work or is told to people. Who may go is found from what is seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from zlib import crc32

import structlog

from heavylift_controller.keda import number as keda
from heavylift_controller.scaler import kept as keeping
from heavylift_controller.scaler import metrics
from heavylift_controller.scaler.drain import Going, Plan, Shrink, plan, verdict
from heavylift_controller.scaler.fenced import FencedStore
from heavylift_controller.scaler.kept import Kept
from heavylift_controller.scaler.look import Look
from heavylift_controller.scaler.platform import Overrides, Platform, PlatformError, Scaled, Sight
from heavylift_controller.scaler.pools import Pool
from heavylift_controller.scaler.reading import Reading
from heavylift_controller.scaler.served import Served, Serving
from heavylift_controller.scaler.status import LAST, Change, PoolStatus, as_json
from heavylift_controller.scaler.steering import Steering, parse_orders, steered, stranger_of
from heavylift_controller.scaling import Decision, Inputs, Limiter, Phase, PoolState, Terms, decide, sentence

SETTLING = 2.0
"""Seconds the platform must have been at rest: what it does is seen a little later."""
LAGS = 3.0
"""Seconds for which what is seen may be older than a change of ours."""
DOUBT = 15.0
"""Seconds for which a change may still be made whose answer was lost, by us or by the leader before: as long as a
request and the API server's own limit take."""
LOWERED = 3.0
"""Seconds a lower number must have been served before a scale-in: who reads it may act on the one before so late."""
REFUSED = 5.0
"""Seconds until a number that was refused is tried again."""
SAVE = 10.0
"""Seconds between two saves of what was learned. What people said and what was done is saved in the same turn."""

INPUTS = tuple(each.name for each in fields(Inputs))
TERMS = tuple(each.name for each in fields(Terms))

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of the loop has seen of a pool, and may write with."""

    pool: Pool
    at: float
    """Of the monotonic clock."""
    now: float
    """Seconds since the epoch by Redis's clock."""
    sight: Sight | None
    look: Look | None
    """None: one side could not be read."""
    reading: Reading | None
    fenced: FencedStore
    unread: str = ""
    clock: Callable[[], float] = time.monotonic
    """The monotonic clock."""
    look_anew: Callable[[Sight], Look] | None = None
    """Read Redis again, and join it with what the platform shows by now."""


@dataclass(slots=True)
class Course:
    """A turn as it goes: what was decided, what is left to do, and why something is not done."""

    turn: Turn
    steering: Steering
    decision: Decision
    wanted: int = 0
    plan: Plan | None = None
    note: str = ""


class OnePool:
    """Runs a pool, turn by turn."""

    def __init__(self, name: str, platform: Platform, *, served: Served | None = None) -> None:
        """With `served` somebody else scales out, by the number served there."""
        self.name = name
        self.kept = Kept()
        self.hurried = False
        """Whether the next turn should come at once."""
        self._platform = platform
        self._served = served
        self._replicas = 0
        self._unrest_at: float | None = None
        self._acted: tuple[int, float] | None = None
        self._doubted = False
        """What was seen last was no longer true."""
        self._in_doubt_until = float("-inf")
        """Until then a lower number may yet be set that was asked for: everything is read anew, nobody is released."""
        self._refused: tuple[int, float] | None = None
        self._drains: dict[str, float] = {}
        self._lowered_at: float | None = None
        self._landing_at: float | None = None
        self._at_rest = True
        self._saved_at = float("-inf")
        self._early = crc32(name.encode()) % SAVE
        """Seconds by which the second save comes earlier, so that many pools are not saved in one turn for ever."""
        self._told: dict[str, str] = {}
        self._limiter: Limiter | None = None
        self._course: Course | None = None
        self._gauges = metrics.announce(name)
        self._measured: tuple[float | None, ...] = (None,) * len(self._gauges)

    def take_over(self, kept: bytes | None, at: float) -> None:
        """Begin with what the last leader has kept, if anything; the platform may be about to act on its last word."""
        self._unrest_at = at
        if kept is None:
            return
        try:
            self.kept = keeping.load(kept)
        except ValueError as error:
            log.warning("memory_unreadable", pool=self.name, reason=str(error))
        if self.kept.going is not None:
            self._in_doubt_until = at + DOUBT

    def is_to_be_saved(self, at: float) -> bool:
        """Return whether it is time to save what the next leader needs."""
        return at - self._saved_at >= SAVE

    def dumped(self, at: float) -> bytes:
        """Return that, to be saved now."""
        self._saved_at, self._early = at - self._early, 0.0
        return keeping.dump(self.kept)

    def caught_up(self, sight: Sight, at: float) -> Sight:
        """Return what is there, read anew while what is seen is older than a change. Raises PlatformError."""
        if self._doubted or at < self._in_doubt_until:
            sight = self._platform.look_again(self.name)
            self._doubted = False
            return sight
        if self._acted is None:
            return sight
        number, acted_at = self._acted
        if sight.replicas == number or at - acted_at > LAGS:
            self._acted = None
            return sight
        return self._platform.look_again(self.name)

    def begin(self, turn: Turn) -> None:
        """Decide, and start what is to start. Raises StoreUnavailable, Deposed.

        All pools begin before any goes on: what one of them has to drain takes long, and a burst must not wait for it.
        """
        self.hurried = False
        if turn.sight is not None:
            self._replicas = turn.sight.replicas
            if not turn.sight.settled or self._unrest_at is None:
                self._unrest_at = turn.at
        steering = self._steered(turn)
        decision = decide(self._state(turn), steering.settings, self.kept.memory)
        self.kept = replace(self.kept, memory=decision.memory)
        self._course = Course(turn, steering, decision)
        self._act(self._course, self._start)

    def go_on(self) -> Mapping[str, object]:
        """Do the next step towards fewer, and return the status as it is written. Raises StoreUnavailable, Deposed."""
        course = self._course
        assert course is not None, "a turn begins first"
        if course.plan is not None:
            self._act(course, self._reduce)
        status = self._status(course.turn, course.decision, course.steering, course.note)
        written = as_json(status)
        self._tell(course.decision, status, written)
        return written

    # ---- deciding

    def _steered(self, turn: Turn) -> Steering:
        """Return what people want, with the orders that have come since."""
        texts = turn.reading.orders.get(self.name, {}) if turn.reading else {}
        orders = self.kept.orders.with_orders(parse_orders(texts))
        stranger = stranger_of(self.kept.stranger, turn.sight, turn.now) if turn.sight else self.kept.stranger
        changed = (orders, stranger) != (self.kept.orders, self.kept.stranger)
        self.kept = replace(self.kept, orders=orders, stranger=stranger)
        if changed:
            self._saved_at = float("-inf")
        overrides = turn.sight.overrides if turn.sight else Overrides()
        return steered(turn.pool, overrides, orders, stranger, turn.now)

    def _state(self, turn: Turn) -> PoolState:
        if turn.look is not None:
            return turn.look.state()
        return PoolState(turn.now, self._replicas, None, None, unread=turn.unread or "missing data")

    # ---- acting

    def _act(self, course: Course, step: Callable[[Course], None]) -> None:
        """Take a step, and note why what is decided is not done where the platform does not let us."""
        try:
            step(course)
        except PlatformError as error:
            self._drop_serving()
            course.plan = None
            course.note = f"the platform could not be asked: {error}"

    def _release_hold(self, sight: Sight) -> str:
        """Take back a number that a person has put on the WorkerPool and released. Returns why not."""
        if not self.kept.orders.to_release:
            return ""
        if sight.overrides.hold_at is None:
            self.kept = replace(self.kept, orders=replace(self.kept.orders, to_release=False))
            return ""
        try:
            self._platform.release(self.name)  # until it is seen to be gone, the order stands
        except PlatformError as error:
            return f"the number on the WorkerPool could not be taken back: {error}"
        return ""

    def _start(self, course: Course) -> None:
        """Give workers jobs again and ask for more, and plan who is to go."""
        turn, sight, look = course.turn, course.turn.sight, course.turn.look
        if sight is None:
            return
        unreleased, refusal = self._release_hold(sight), _refusal(turn.pool, sight)
        course.wanted = wanted = sight.replicas if refusal else course.decision.replicas
        self._forget_refusal(sight.replicas, wanted)
        if look is not None and not look.unread:
            settled = self._settled(turn)
            if settled and self.kept.going is not None:
                self._verify(turn, sight, self.kept.going)
            course.plan = self._plan(turn, look, wanted, settled=settled)
            self._undo(turn, look, course.plan)
            if wanted >= sight.replicas:  # who scales out for us need not wait for what is drained either
                self._serve(turn, sight.replicas, course.plan, wanted, settled=settled)
        course.note = refusal or self._grow(turn, sight, course.decision, wanted) or unreleased

    def _reduce(self, course: Course) -> None:
        """Drain who is to go, and let the number fall once they hold nothing."""
        turn, step = course.turn, course.plan
        assert turn.sight is not None
        assert turn.look is not None
        assert step is not None
        self._prepare(turn, turn.look, step)
        if course.wanted < turn.sight.replicas:
            self._serve(turn, turn.sight.replicas, step, course.wanted, settled=self._settled(turn))
        note = self._shrink(turn, step.shrink) if step.shrink is not None else ""
        course.note = course.note or note or step.waits_for

    def _plan(self, turn: Turn, look: Look, wanted: int, *, settled: bool) -> Plan:
        if wanted >= look.sight.replicas and look.untouched:
            return Plan()  # most pools at most times: not worth a look at each pod
        return plan(look.seen(settled=settled, left=turn.fenced.term.left(), began=self._began(turn.at)), wanted)

    def _settled(self, turn: Turn) -> bool:
        at_rest = self._unrest_at is not None and turn.at - self._unrest_at >= SETTLING
        return at_rest and turn.at >= self._in_doubt_until

    def _began(self, at: float) -> Callable[[str], float]:
        return lambda name: self._drains.get(name, at)

    def _undo(self, turn: Turn, look: Look, step: Plan) -> None:
        """Give workers jobs again: at once, before any is started."""
        if not step.release:
            return
        turn.fenced.release(look.queues, step.release)
        there = [name for name in step.release if name in look.pods]
        for name in step.release:
            self._drains.pop(name, None)
        if there:
            metrics.DRAINS.labels(pool=self.name, result="released").inc(len(there))
            log.info("workers_released", pool=self.name, workers=there)

    def _prepare(self, turn: Turn, look: Look, step: Plan) -> None:
        """Mark those that are to go, step by step. In shadow there is no right to mark pods."""
        if turn.fenced.term.left() <= 0 or turn.pool.shadow:
            return
        if step.mark:
            turn.fenced.mark(look.queues, step.mark)
            new = [name for name in step.mark if name not in self._drains]
            self._drains |= dict.fromkeys(new, turn.at)
            if new:
                log.info("workers_drained", pool=self.name, workers=new)
        if step.uncost:
            self._platform.unmark(self.name, step.uncost)
        if step.cost:
            self._platform.mark(self.name, step.cost)

    def _grow(self, turn: Turn, sight: Sight, decision: Decision, wanted: int) -> str:
        """Ask for more workers, straight for the number. Returns why not."""
        if wanted <= sight.replicas or self._served is not None:
            return ""
        if self._is_refused(turn, wanted):
            return f"the platform refuses {wanted} workers"
        if turn.fenced.term.left() <= 0:
            return "the leadership is over"
        try:
            result = self._platform.scale(self.name, current=sight.replicas, to=wanted)
        except PlatformError:
            self._doubted = True  # it may have been set, and what is seen next be older
            raise
        if result is Scaled.DONE and self._at_rest and turn.look is not None:
            self._react(turn, turn.look)
        return self._scaled(turn, sight.replicas, wanted, result, decision)

    def _forget_refusal(self, replicas: int, wanted: int) -> None:
        """Forget that a number was refused once it is no longer asked for."""
        refused = self._refused[0] if self._refused else replicas
        if refused != wanted if refused > replicas else wanted >= replicas:
            self._refused = None

    def _is_refused(self, turn: Turn, number: int) -> bool:
        return self._refused is not None and self._refused[0] == number and turn.at < self._refused[1]

    def _react(self, turn: Turn, look: Look) -> None:
        """Note how long the first job that came to a pool at rest has waited for this."""
        found = (look.reading.scenes.get(queue) for queue in turn.pool.queues)
        ages = [scene.oldest_age for scene in found if scene is not None and scene.waiting]
        if ages:
            took = max(ages) + turn.clock() - look.reading.at
            metrics.REACTION_SECONDS.labels(pool=self.name).observe(took)

    def _shrink(self, turn: Turn, shrink: Shrink) -> str:
        """Read everything again, and let the number fall if the very same comes out. Returns why not."""
        if waits_for := self._not_served_yet(turn, shrink):
            return waits_for
        if self._is_refused(turn, shrink.to):
            return f"the platform refuses {shrink.to} workers"
        assert turn.look_anew is not None
        sight = self._platform.look_again(self.name)
        look = turn.look_anew(sight)
        if refusal := _refusal(turn.pool, sight):
            return refusal
        steering = steered(turn.pool, sight.overrides, self.kept.orders, self.kept.stranger, turn.now)
        decision = decide(look.state(), steering.settings, self.kept.memory)
        settled = self._settled(turn) and sight.settled
        seen = look.seen(settled=settled, left=turn.fenced.term.left(), began=self._began(turn.at))
        again = plan(seen, decision.replicas)
        if look.unread or again.shrink != shrink:
            self.hurried = True
            return again.waits_for or "the last look showed something else: decided anew"
        staying = frozenset(member.name for member in seen.members) - shrink.going
        self.kept = replace(self.kept, going=Going(shrink.going, staying, shrink.to))
        turn.fenced.save({self.name: self.dumped(turn.at)})  # who leads no more ends here
        if turn.fenced.term.left() <= 0:
            return "the leadership is over"
        self._in_doubt_until = turn.clock() + DOUBT
        result = self._platform.scale(self.name, current=sight.replicas, to=shrink.to)
        self._in_doubt_until = float("-inf")  # not where the answer was lost
        if result is not Scaled.DONE:
            self.kept = replace(self.kept, going=None)
        return self._scaled(turn, sight.replicas, shrink.to, result, decision)

    def _scaled(self, turn: Turn, before: int, after: int, result: Scaled, decision: Decision) -> str:
        """Note what became of a change; returns why it was not made."""
        self._refused = (after, turn.at + REFUSED) if result is Scaled.REFUSED else None
        if result is Scaled.CHANGED:
            self.hurried = self._doubted = True
            return "somebody else has set the number meanwhile: decided anew"
        if result is Scaled.REFUSED:
            told = f"The platform refuses {after} workers instead of {before}."
            self._platform.note(self.name, "ScalingRefused", told, warning=True)
            return f"the platform refuses {after} workers"
        self._acted = after, turn.at
        self._replicas = after
        if after < before:
            self._unrest_at = turn.at
        direction = "out" if after > before else "in"
        metrics.CHANGES.labels(pool=self.name, direction=direction).inc()
        change = Change(turn.now, before, after, decision.reason)
        self.kept = replace(self.kept, last=(change, *self.kept.last)[:LAST])
        self._saved_at = float("-inf")
        self._platform.note(self.name, f"Scaled{direction.title()}", sentence(decision))
        log.info("pool_scaled", pool=self.name, before=before, after=after, reason=decision.reason)
        return ""

    def _verify(self, turn: Turn, sight: Sight, going: Going) -> None:
        """Look who went by the last scale-in. Who was to go and is there is released by the plan."""
        found = verdict(going, frozenset(pod.name for pod in sight.staying))
        for name in found.deleted:
            took = turn.at - self._drains.pop(name, turn.at)
            metrics.DRAIN_SECONDS.labels(pool=self.name).observe(took)
        metrics.DRAINS.labels(pool=self.name, result="deleted").inc(len(found.deleted))
        if found.wrong:
            metrics.DRAINS.labels(pool=self.name, result="wrong").inc(len(found.wrong))
            told = f"Of the workers that were to stay, these went: {', '.join(sorted(found.wrong))}."
            self._platform.note(self.name, "WrongWorkerWent", told, warning=True)
            log.error("wrong_workers_went", pool=self.name, workers=sorted(found.wrong))
        self.kept = replace(self.kept, going=None)

    # ---- somebody else scales out

    def _serve(self, turn: Turn, replicas: int, step: Plan, wanted: int, *, settled: bool) -> None:
        """Serve the number by which another autoscaler scales out: never more than a scale-in is about to leave."""
        if self._served is None or turn.pool.shadow:
            return
        shrinking = wanted < replicas or self.kept.going is not None or not settled
        landing = step.shrink is not None and step.shrink.to == 0
        self._lowered_at = (self._lowered_at or turn.at) if wanted < replicas else None
        self._landing_at = (self._landing_at or turn.at) if landing else None
        served = keda.number(replicas=replicas, wanted=wanted, shrinking=shrinking)
        active = keda.active(replicas=replicas, wanted=wanted, landing=landing)
        self._served.put(self.name, Serving(served, active, time.monotonic()))

    def _not_served_yet(self, turn: Turn, shrink: Shrink) -> str:
        """Return what a scale-in waits for where another autoscaler could undo it."""
        if self._served is None:
            return ""
        since = self._landing_at if shrink.to == 0 else self._lowered_at
        if since is None or turn.at - since < LOWERED:
            return "waits until the lower number is known to who scales out"
        return ""

    def _drop_serving(self) -> None:
        self._lowered_at = self._landing_at = None

    # ---- telling

    def _status(self, turn: Turn, decision: Decision, steering: Steering, note: str) -> PoolStatus:
        look, scenes = turn.look, turn.reading.scenes if turn.reading else {}
        loads = [scenes[queue] for queue in turn.pool.queues if queue in scenes]
        known = turn.reading is not None
        waiting = sum(load.waiting for load in loads)
        self._at_rest = known and waiting == 0
        return PoolStatus(
            pool=self.name,
            queues=tuple(turn.pool.queues),
            waiting=waiting if known else None,
            running=look.running if look else None,
            oldest_age_seconds=max((load.oldest_age for load in loads if load.waiting), default=0.0) if known else None,
            current=self._replicas,
            desired=decision.desired,
            ready=sum(worker.phase is Phase.READY for worker in look.workers) if look else 0,
            draining=tuple(worker.name for worker in look.workers if worker.name in look.marks) if look else (),
            limiter="refused" if self._refused else decision.reason,
            reason=sentence(decision),
            held_by=steering.held_by,
            hold_until=steering.hold_until,
            paused=steering.settings.paused,
            shadow=turn.pool.shadow,
            frozen=decision.limiter is Limiter.FROZEN,
            decided_at=turn.now,
            target=turn.pool.deployment,
            inputs={name: getattr(decision.inputs, name) for name in INPUTS},
            terms={name: getattr(decision.terms, name) for name in TERMS},
            last=self.kept.last,
            going=tuple(sorted(self.kept.going.names)) if self.kept.going else (),
            note=note,
        )

    def _tell(self, decision: Decision, status: PoolStatus, written: Mapping[str, object]) -> None:
        self._platform.show(self.name, decision, written)
        self._measure(decision, status)
        self._tell_once("ScalingFrozen", status.limiter if status.frozen else "", warning=True)
        held = f"{status.held_by} holds the pool at {decision.desired} workers." if status.held_by else ""
        self._tell_once("Held", held)

    def _tell_once(self, reason: str, said: str, *, warning: bool = False) -> None:
        """Tell something when it begins to be so, or changes."""
        if said and self._told.get(reason) != said:
            self._platform.note(self.name, reason, said, warning=warning)
            log.info("pool_noted", pool=self.name, reason=reason, sentence=said)
        self._told[reason] = said

    def _measure(self, decision: Decision, status: PoolStatus) -> None:
        values = (
            status.desired,
            status.current,
            status.ready,
            status.frozen,
            bool(status.held_by),
            decision.inputs.service_seconds,
            decision.inputs.boot_seconds,
            decision.inputs.hold_seconds,
        )
        for gauge, value, before in zip(self._gauges, values, self._measured, strict=True):
            if value is not None and value != before:
                gauge.set(value)
        self._measured = values
        if self._limiter is not decision.limiter:
            if self._limiter is not None:
                metrics.LIMITER.labels(pool=self.name, limiter=str(self._limiter)).set(0)
            metrics.LIMITER.labels(pool=self.name, limiter=str(decision.limiter)).set(1)
            self._limiter = decision.limiter


def _refusal(pool: Pool, sight: Sight) -> str:
    """Return why nothing is done whatever is decided; empty: it is done."""
    if pool.shadow:
        return "shadow: decided and told, not done"
    return f"{sight.owner} sets the number of workers, so we do not" if sight.owner else ""
