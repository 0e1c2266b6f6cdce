"""The jobs a worker process holds, from the claim to the attempt's end.

The problem: three parties act on a held job. The event loop's thread claims, starts children and hears of their ends;
the supervisor's thread renews, stops and kills; the child finishes by itself.

The invariant: a child is killed only under the desk's lock and only while the desk says that it runs that job. The
event loop gives a child its next job only after the last one left the desk, under the same lock: so no kill meant for
one job can hit the next.

What is not guaranteed: that a child still runs when the desk says so. It may have finished a moment ago; the finishing
script's token makes a second ending harmless.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from heavylift.model import JobError
from heavylift.operations import Claim, Claimant, Ending, Outcome


@dataclass(slots=True)
class Held:
    """A claimed job. `pid` is set while a child runs it; times are monotonic seconds."""

    claim: Claim
    soft_limit: float | None = None
    hard_limit: float | None = None
    pid: int | None = None
    started_at: float | None = None
    soft_limit_told: bool = False
    stop_deadline: float | None = None
    """When the child is ended that was asked to stop."""
    ending: Ending | None = None
    """How the parent ends the attempt; the supervisor writes it."""
    end_sent: bool = False
    """The parent's end was sent to the store; its reply may have been lost."""
    ended: bool = False
    """The store knows the end; only the child's own word is awaited."""
    free_by: float | None = None
    """When the child is killed that has ended its attempt and is still not free."""
    gone: bool = False
    """The child is dead: no word of its own will come."""


@dataclass
class Unanswered:
    """A claim whose reply was lost: jobs of `queue` may be leased under these tokens, to nobody who knows."""

    queue: str
    tokens: set[str]
    looks: int = 5
    """How often to look for such leases: Redis may carry out a claim after the connection it came by was lost."""


@dataclass
class Desk:
    """What the worker holds, and how much more it may take."""

    claimant: Claimant
    slots: int
    draining: bool = False
    paused: bool = False
    """It is marked to be drained: no more jobs are taken until the mark is gone."""
    wake: Callable[[], None] = field(default=lambda: None)
    """Makes the supervisor look at once; it sets this."""
    children: Callable[[], int] | None = None
    """Tells how many there are, also those that start or have just died: fewer than slots where one was refused."""
    _dry_until: float = 0.0
    """Until then, by the monotonic clock, jobs are taken only where nothing is held."""
    _asking: bool = False
    """A claim is on its way."""
    _unanswered: list[Unanswered] = field(default_factory=list)
    _held: dict[str, Held] = field(default_factory=dict)
    """By token: a worker that was frozen may claim a job again while an earlier attempt's child still runs."""
    _numbers: int = 1
    _lock: threading.Lock = field(default_factory=threading.Lock)

    # --- the transport's side ---

    def room(self) -> int:
        """Return how many jobs may be claimed now."""
        with self._lock:
            return self._room()

    def ask(self) -> int:
        """Return how many jobs may be claimed now, and note that they are asked for; `answered` must follow."""
        with self._lock:
            room = self._room()
            self._asking = room > 0
            return room

    def pause(self) -> None:
        """Take no more jobs for now: the store gives none."""
        if not self.paused:
            self.paused = True
            self.wake()

    def run_dry(self, seconds: float) -> None:
        """Take no more jobs for so long, unless nothing is held."""
        with self._lock:
            self._dry_until = time.monotonic() + seconds

    def answered(self) -> None:
        """Note that no claim is on its way any more."""
        self._asking = False

    def unanswered(self, queue: str, first: int, count: int) -> None:
        """Note that the reply of a claim was lost: jobs may be leased under `count` numbers from `first`."""
        tokens = {f"{self.claimant.boot}:{number}" for number in range(first, first + count)}
        with self._lock:
            self._unanswered.append(Unanswered(queue, tokens))

    def _room(self) -> int:
        if self.draining or self.paused or any(held.claim.alone for held in self._held.values()):
            return 0
        if self._held and time.monotonic() < self._dry_until:
            return 0
        able = min(self.slots, self.children()) if self.children else self.slots
        return max(0, able - len(self._held))

    def held(self) -> int:
        """Return how many jobs the worker holds whose child lives, or is to come."""
        with self._lock:
            return sum(not held.gone for held in self._held.values())

    def reserve_numbers(self, count: int) -> int:
        """Return the first of `count` claim numbers that were never used before."""
        with self._lock:
            first = self._numbers
            self._numbers += count
            return first

    def take(self, claim: Claim) -> None:
        """Note a claimed job, so that its lease is renewed from now on."""
        with self._lock:
            self._held[claim.token] = Held(claim)

    def give_back(self, job_id: str, *, unfit: str | None = None) -> None:
        """Have a job released that is not begun. `unfit`: why its message cannot be handled; it counts an attempt."""
        ending = Ending(Outcome.RELEASED, reason="claimed while its worker was leaving")
        if unfit is not None:
            ending = Ending(
                Outcome.RETRYING, error=JobError(type="unfit_message", message=unfit), reason=unfit, ran=False
            )
        with self._lock:
            if (held := self._newest(job_id)) and held.ending is None:
                held.ending = ending
        self.wake()

    # --- the event loop's side ---

    def limit(self, job_id: str, *, soft: float | None, hard: float | None) -> None:
        """Note the job's time limits, in seconds."""
        with self._lock:
            if held := self._newest(job_id):
                held.soft_limit, held.hard_limit = soft, hard

    def started(self, job_id: str, token: str, pid: int) -> bool:
        """Note that a child runs the job. False: the worker does not hold it any more, the child must not run it."""
        with self._lock:
            held = self._of(job_id, token)
            others = [each for each in self._held.values() if each.pid == pid and each is not held]
            if held is None or held.ending is not None or any(not each.ended for each in others):
                return False
            for each in others:  # its child has gone on to this job: the word of that was lost
                del self._held[each.claim.token]
            held.pid = pid
            held.started_at = time.monotonic()
            return True

    def lose(self, job_id: str, token: str, ending: Ending) -> None:
        """Note that the child is dead, and how its attempt ends unless that was decided before."""
        with self._lock:
            if held := self._of(job_id, token):
                held.gone, held.pid = True, None
                held.ending = held.ending or ending

    def leave(self, job_id: str, token: str) -> Held | None:
        """Take the job off the desk: its attempt has ended and the store knows."""
        with self._lock:
            held = self._of(job_id, token)
            return self._held.pop(token) if held else None

    # --- the supervisor's side ---

    def snapshot(self) -> list[Held]:
        """Return copies of all held jobs."""
        with self._lock:
            return [replace(held) for held in self._held.values()]

    def lost_claims(self) -> list[Unanswered]:
        """Return the claims whose reply was lost, as far as they must still be looked for."""
        with self._lock:
            self._unanswered = [each for each in self._unanswered if each.looks > 0]
            return list(self._unanswered)

    def resume(self) -> None:
        """Take jobs again."""
        self.paused = False

    def empty(self) -> bool:
        """Return whether nothing is held, nor on its way here."""
        with self._lock:
            return not self._held and not self._asking

    def end(self, job_id: str, token: str, ending: Ending) -> None:
        """Decide how the parent ends the attempt. The first decision stands."""
        with self._lock:
            held = self._of(job_id, token)
            if held and held.ending is None:
                held.ending = ending

    def send_end(self, job_id: str, token: str) -> None:
        """Note that the parent's end is now on its way to the store."""
        with self._lock:
            if held := self._of(job_id, token):
                held.end_sent = True

    def settle(self, job_id: str, token: str, *, patience: float) -> None:
        """Note that the store knows the attempt's end. The child has `patience` seconds to be free."""
        with self._lock:
            if held := self._of(job_id, token):
                held.ended = True
                held.free_by = held.free_by or time.monotonic() + patience
                if not held.gone:  # else it is still to be taken off the desk, and nobody but the supervisor will
                    held.ending = None

    def ask_to_stop(self, job_id: str, token: str, *, grace: float) -> bool:
        """Tell the child once to stop; it is ended `grace` seconds later. Whether it was told now."""
        with self._lock:
            held = self._of(job_id, token)
            if held is None or held.stop_deadline is not None:
                return False
            held.stop_deadline = time.monotonic() + grace
            _signal(held, signal.SIGUSR2)
            return True

    def tell_soft_limit(self, job_id: str, token: str) -> None:
        """Tell the child once that its soft time limit has passed."""
        with self._lock:
            held = self._of(job_id, token)
            if held and not held.soft_limit_told:
                held.soft_limit_told = True
                _signal(held, signal.SIGUSR1)

    def kill(self, job_id: str, token: str) -> Held | None:
        """Kill the child and all it started, and take the job off the desk. The caller has seen to the store."""
        with self._lock:
            held = self._of(job_id, token)
            if held is None:
                return None
            if held.pid is not None:
                kill_group(held.pid)
            return self._held.pop(token)

    def _of(self, job_id: str, token: str) -> Held | None:
        held = self._held.get(token)
        return held if held and str(held.claim.id) == job_id else None

    def _newest(self, job_id: str) -> Held | None:
        return next((held for held in reversed(self._held.values()) if str(held.claim.id) == job_id), None)


def kill_group(pid: int) -> None:
    """Kill a child and every process of its group; nothing happens if all are gone, or what is left is another user's.

    Only the group: the child may be dead and waited for, and its number another's. No new process gets the number of a
    group that has members.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _signal(held: Held, number: signal.Signals) -> None:
    if held.pid is not None:
        with suppress(ProcessLookupError):
            os.kill(held.pid, number)
