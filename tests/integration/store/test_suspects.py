"""Jobs that were lost twice must run alone, and must not wait for ever where no worker happens to hold nothing."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from redis.exceptions import ResponseError

from heavylift import operations as ops
from heavylift.constants import DRY_PERIOD, DRY_TURN
from heavylift.errors import ClaimRefused, MustRunDry
from heavylift.ids import JobId
from heavylift.model import JobStatus
from heavylift.operations import Claim, Outcome
from tests.integration.store.bench import PATIENCE, QUEUE, Bench

pytestmark = pytest.mark.integration

ROUNDS = 45
"""In each of them every worker ends a job. A suspect is overdue after three; four later the fullest worker is empty."""


class Worker:
    """Asks whenever a slot is free, and nothing that it holds must run alone."""

    def __init__(self, bench: Bench, name: str, *, slots: int = 2) -> None:
        self.name, self.slots = name, slots
        self.bench = bench
        self.holds: list[Claim] = []

    def ask(self) -> None:
        if any(claim.alone for claim in self.holds):
            return
        try:
            self.holds += self.bench.claim(self.name, slots=self.slots - len(self.holds), busy=len(self.holds))
        except MustRunDry:
            assert self.holds
            assert dry_worker(self.bench) == self.name

    def end_one(self, at: int = 0) -> JobId:
        claim = self.holds.pop(at % len(self.holds))
        assert self.bench.finish(claim).first
        return claim.id

    def vanishes_if_dry(self) -> bool:
        """Be gone with all that is held, and asked for, if it is the one that runs dry."""
        if dry_worker(self.bench) != self.name:
            return False
        for claim in self.holds:
            self.bench.reap(claim)
        self.bench.ask("DEL", self.bench.keys.suspects_for(QUEUE))  # as its end does
        return True


def age(bench: Bench, suspect: JobId, seconds: float = PATIENCE.total_seconds()) -> None:
    """Let it have waited for so much longer."""
    bench.ask("HINCRBY", bench.keys.job(*suspect), "ready", round(-1000 * seconds))


def suspect_aside(bench: Bench, *, aged: bool = True) -> JobId:
    """Return a suspect that a worker has put aside, among jobs that wait."""
    suspect = bench.submit(max_attempts=9)
    bench.run_down(suspect, 2)
    bench.submit()
    assert [claim.id for claim in bench.claim("first", busy=1)] != [suspect]
    if aged:
        age(bench, suspect)
    return suspect


def dry_worker(bench: Bench) -> str | None:
    """Return whose turn it is."""
    turn = bench.ask("GET", bench.keys.suspects_for(QUEUE))
    return turn.decode().partition(":")[2] if turn else None


def age_turn(bench: Bench, seconds: float = DRY_TURN.total_seconds()) -> None:
    """Let the worker have run dry for so much longer."""
    key = bench.keys.suspects_for(QUEUE)
    since, _, worker = bench.ask("GET", key).decode().partition(":")
    bench.ask("SET", key, f"{int(since) - round(1000 * seconds)}:{worker}", "KEEPTTL")


def test_a_suspect_starts_however_many_wait_behind_it(bench: Bench) -> None:
    workers = [Worker(bench, "a"), Worker(bench, "b")]
    for _ in range(4):
        bench.submit()
    for worker in workers:
        worker.ask()
    suspect = bench.submit(max_attempts=9)
    bench.run_down(suspect, 2)
    younger = 0
    for _ in range(20):
        for worker in workers:
            bench.submit()
            younger += worker.end_one() != suspect
            worker.ask()
            if bench.status(suspect) is JobStatus.QUEUED:
                age(bench, suspect, PATIENCE.total_seconds() / 10)

    assert bench.status(suspect) == JobStatus.SUCCEEDED
    assert younger == 39, "no more than one worker gets nothing, and no longer than it has to"


@given(
    slots=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    suspects=st.integers(1, 3),
    gone=st.integers(0, 15),
    order=st.randoms(use_true_random=False),
)
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # shrinking takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # each run begins with an empty Redis
)
def test_every_suspect_starts_whatever_the_workers_do(
    redis_url: str, slots: list[int], suspects: int, gone: int, order: Random
) -> None:
    """Jobs end in any order, there is always another one, and a worker vanishes while it runs dry."""
    bench = Bench(redis_url)
    bench.ask("FLUSHALL")
    workers = [Worker(bench, f"w{at}", slots=each) for at, each in enumerate(slots)]
    for worker in workers:
        for _ in range(worker.slots):
            bench.submit()
        worker.ask()
    waiting = [bench.submit(max_attempts=9) for _ in range(suspects)]
    for _ in range(2):
        for claim in bench.claim("another", slots=suspects):
            bench.finish(claim, Outcome.LOST)
    for turn in range(ROUNDS):
        waiting = [suspect for suspect in waiting if bench.status(suspect) is JobStatus.QUEUED]
        for suspect in waiting:
            age(bench, suspect, PATIENCE.total_seconds() / 3)
        if turn >= gone and len(workers) == len(slots):
            workers = [worker for worker in workers if not worker.vanishes_if_dry()]
        for worker in order.sample(workers, len(workers)):
            bench.submit()
            worker.end_one(order.randrange(worker.slots))
            worker.ask()
    bench.store.close()

    assert waiting == []


def test_many_suspects_start_one_after_the_other_while_others_wait(bench: Bench) -> None:
    """A node that dies twice makes suspects of all that ran on it."""
    workers = [Worker(bench, name, slots=3) for name in "abcd"]
    many = [bench.submit(max_attempts=9) for _ in range(12)]
    for _ in range(2):
        for claim in bench.claim("gone", slots=len(many)):
            bench.finish(claim, Outcome.LOST)
    for _ in range(12):
        bench.submit()
    for turn in range(60):
        for worker in workers:
            bench.submit()
            worker.ask()
            alone = [claim.id for each in workers for claim in each.holds if claim.alone]
            assert len(alone) <= 1, "one at a time within their spacing, which is long here"
            if turn % 4 == 0 or not any(claim.alone for claim in worker.holds):  # suspects last four times as long
                worker.end_one()
        for suspect in many:
            age(bench, suspect, PATIENCE.total_seconds() / 3)
    ended = [bench.status(suspect) for suspect in many]
    assert ended.count(JobStatus.SUCCEEDED) >= 6


def test_the_next_suspect_starts_when_the_last_one_has_run_for_a_moment(bench: Bench) -> None:
    many = {bench.submit(max_attempts=9) for _ in range(2)}
    for _ in range(2):
        for claim in bench.claim("gone", slots=len(many)):
            bench.finish(claim, Outcome.LOST)
    others = {bench.submit() for _ in range(2)}
    bench.claim("busy", busy=1)

    assert bench.claim_one("a").id in many
    assert bench.claim_one("b").id in others
    assert 0 < bench.ask("PTTL", f"{bench.keys.base(QUEUE)}suspect") <= PATIENCE.total_seconds() * 1000
    bench.ask("DEL", f"{bench.keys.base(QUEUE)}suspect")  # as its end does
    bench.submit()
    assert bench.claim_one("c").id in many


def test_suspects_take_all_workers_where_nothing_else_waits(bench: Bench) -> None:
    many = {bench.submit(max_attempts=9) for _ in range(3)}
    for _ in range(2):
        for claim in bench.claim("gone", slots=len(many)):
            bench.finish(claim, Outcome.LOST)
    bench.submit()
    bench.claim("busy", busy=1)

    assert {bench.claim_one(name).id for name in "abc"} == many


def test_no_worker_runs_dry_for_a_suspect_that_has_just_been_lost(bench: Bench) -> None:
    suspect_aside(bench, aged=False)
    bench.submit()

    assert bench.claim("w1", busy=1)
    assert dry_worker(bench) is None


def test_one_worker_runs_dry_at_a_time(bench: Bench) -> None:
    suspect = suspect_aside(bench)
    bench.submit()

    for _ in range(2):
        with pytest.raises(MustRunDry):
            bench.claim("w1", busy=1)
    assert bench.claim("w2", busy=1), "the others go on"
    (claim,) = bench.claim("w1", slots=2)
    assert (claim.id, claim.alone) == (suspect, True)


def test_a_worker_that_asks_no_more_gives_way(bench: Bench) -> None:
    suspect_aside(bench)
    with pytest.raises(MustRunDry):
        bench.claim("w1", busy=1)
    assert 0 < bench.ask("PTTL", bench.keys.suspects_for(QUEUE)) <= DRY_PERIOD.total_seconds() * 1000

    bench.ask("PEXPIRE", bench.keys.suspects_for(QUEUE), 5)
    with pytest.raises(MustRunDry):
        bench.claim("w1", busy=1)
    assert bench.ask("PTTL", bench.keys.suspects_for(QUEUE)) > 1000, "asking renews it"
    bench.ask("DEL", bench.keys.suspects_for(QUEUE))  # as its end does
    with pytest.raises(MustRunDry):
        bench.claim("w2", busy=1)
    assert dry_worker(bench) == "w2"


def test_a_worker_that_does_not_get_empty_gives_its_place_to_another_that_asks(bench: Bench) -> None:
    suspect = suspect_aside(bench)
    for _ in range(3):
        bench.submit()
    with pytest.raises(MustRunDry):
        bench.claim("w1", busy=1)
    age_turn(bench, 0.9 * DRY_TURN.total_seconds())
    assert bench.claim("w2", busy=1), "its turn is not over"
    age_turn(bench, 0.2 * DRY_TURN.total_seconds())
    with pytest.raises(MustRunDry):
        bench.claim("w1", busy=1)
    with pytest.raises(MustRunDry):
        bench.claim("w2", busy=1)
    assert bench.claim("w1", busy=1), "it may go on"
    assert bench.claim_one("w2").id == suspect


def test_turns_grow_with_the_suspects_wait(bench: Bench) -> None:
    """Where every worker holds jobs of minutes, a turn of seconds would never do."""
    suspect = suspect_aside(bench)
    age(bench, suspect, 10 * DRY_TURN.total_seconds() - PATIENCE.total_seconds())
    bench.submit()
    with pytest.raises(MustRunDry):
        bench.claim("w1", busy=1)
    age_turn(bench, 4.8 * DRY_TURN.total_seconds())
    assert bench.claim("w2", busy=1)
    age_turn(bench, 0.4 * DRY_TURN.total_seconds())
    with pytest.raises(MustRunDry):
        bench.claim("w2", busy=1)


def test_a_turn_that_begins_in_the_future_is_anothers(bench: Bench) -> None:
    """The clock was set back since."""
    suspect_aside(bench)
    with pytest.raises(MustRunDry):
        bench.claim("w1", busy=1)
    age_turn(bench, -3600)
    with pytest.raises(MustRunDry):
        bench.claim("w2", busy=1)
    assert dry_worker(bench) == "w2"


@pytest.mark.parametrize("junk", ["w1", "soon:w1", ""])
def test_what_is_no_turn_is_nobodys(bench: Bench, junk: str) -> None:
    suspect_aside(bench)
    bench.ask("SET", bench.keys.suspects_for(QUEUE), junk)
    with pytest.raises(MustRunDry):
        bench.claim("w2", busy=1)
    assert dry_worker(bench) == "w2"


def test_a_worker_that_is_marked_to_be_drained_is_never_the_one(bench: Bench) -> None:
    suspect_aside(bench)
    bench.run(ops.drain(bench.keys, QUEUE, epoch=1, mark=["w1"]))

    with pytest.raises(ClaimRefused):
        bench.claim("w1", busy=1)
    assert dry_worker(bench) is None


def test_a_worker_that_asks_for_nothing_is_not_the_one(bench: Bench) -> None:
    suspect_aside(bench)

    assert bench.claim("w1", slots=0, busy=1) == []
    assert dry_worker(bench) is None


def test_a_worker_goes_on_when_another_has_taken_the_suspect(bench: Bench) -> None:
    suspect = suspect_aside(bench)
    other = bench.submit()
    with pytest.raises(MustRunDry):
        bench.claim("w1", busy=1)

    assert bench.claim_one("idle").id == suspect
    assert [claim.id for claim in bench.claim("w1", busy=1)] == [other]


def test_nobody_runs_dry_for_a_suspect_that_was_cancelled(bench: Bench) -> None:
    suspect = suspect_aside(bench)
    bench.cancel(suspect)
    other = bench.submit()

    assert [claim.id for claim in bench.claim("w1", busy=1)] == [other]
    assert (bench.ask("EXISTS", bench.keys.suspects(QUEUE)), bench.ask("GET", f"{bench.keys.base(QUEUE)}stale")) == (
        0,
        b"0",
    )


def test_a_worker_runs_dry_where_nothing_else_waits(bench: Bench) -> None:
    """It may serve other queues."""
    suspect_aside(bench)

    with pytest.raises(MustRunDry):
        bench.claim("w1", busy=1)


def test_what_nothing_can_be_made_of_holds_up_no_suspect_behind_it(bench: Bench) -> None:
    suspect = suspect_aside(bench)
    bench.ask("RPUSH", bench.keys.suspects(QUEUE), "no message")
    with pytest.raises(MustRunDry):
        bench.claim("w1", busy=1)

    assert bench.claim_one("w1").id == suspect
    assert bench.unreadable() == [b"no message"]


def test_who_runs_dry_gives_its_wake_token_on(bench: Bench) -> None:
    suspect_aside(bench)
    bench.submit()
    bench.take_token()

    with pytest.raises(MustRunDry):
        bench.claim("w1", busy=1)
    assert bench.tokens() == 1


def test_a_full_redis_starves_no_suspect(bench: Bench) -> None:
    suspect = suspect_aside(bench)
    bench.ask("CONFIG", "SET", "maxmemory", "1")
    try:
        with pytest.raises(MustRunDry):
            bench.claim("w1", busy=1)
        assert bench.claim_one("w1").id == suspect
    finally:
        bench.ask("CONFIG", "SET", "maxmemory", "0")


def test_a_key_of_a_foreign_type_loses_no_suspect_that_lies_among_the_others(bench: Bench) -> None:
    suspect = bench.submit(max_attempts=9)
    bench.run_down(suspect, 2)
    key = f"{bench.keys.base(QUEUE)}suspect"
    bench.ask("DEL", key)
    bench.ask("LPUSH", key, "a foreign thing")
    before = bench.dump()

    with pytest.raises(ResponseError, match="WRONGTYPE"):
        bench.claim("w1")
    assert bench.dump() == before
    bench.ask("DEL", key)
    assert bench.claim_one("w1").id == suspect


@pytest.mark.parametrize("name", ["suspects", "suspects_for", "stale"])
def test_a_key_of_a_foreign_type_stops_the_claim_before_it_writes(bench: Bench, name: str) -> None:
    suspect_aside(bench)
    key = f"{bench.keys.base(QUEUE)}{name}"
    ours = bench.ask("DUMP", key)
    bench.ask("DEL", key)
    bench.ask("HSET", key, "a foreign", "thing")
    before = bench.dump()

    with pytest.raises(ResponseError, match="WRONGTYPE"):
        bench.claim("w1", busy=1)
    assert bench.dump() == before
    bench.ask("DEL", key)
    if ours:
        bench.ask("RESTORE", key, 0, ours)
