"""Jobs that were lost twice must run alone, and must not wait for ever where no worker happens to hold nothing."""

from __future__ import annotations

import pytest
from redis.exceptions import ResponseError

from heavylift import operations as ops
from heavylift.constants import DRY_PERIOD, SUSPECT_PATIENCE
from heavylift.errors import ClaimRefused, MustRunDry
from heavylift.ids import JobId
from heavylift.model import JobStatus
from heavylift.operations import Claim
from tests.integration.store.bench import QUEUE, Bench

pytestmark = pytest.mark.integration


class Worker:
    """Asks as a worker of two slots does: whenever one of them is free, and nothing it holds must run alone."""

    def __init__(self, bench: Bench, name: str) -> None:
        self.name = name
        self.bench = bench
        self.holds: list[Claim] = []

    def ask(self) -> None:
        if any(claim.alone for claim in self.holds):
            return
        try:
            self.holds += self.bench.claim(self.name, slots=2 - len(self.holds), busy=len(self.holds))
        except MustRunDry:
            assert self.holds

    def end_one(self) -> JobId:
        claim = self.holds.pop(0)
        assert self.bench.finish(claim).first
        return claim.id


def age(bench: Bench, suspect: JobId, seconds: float = SUSPECT_PATIENCE.total_seconds()) -> None:
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


def dry_worker(bench: Bench) -> bytes | None:
    return bench.ask("GET", bench.keys.suspects_for(QUEUE))


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
                age(bench, suspect, SUSPECT_PATIENCE.total_seconds() / 10)

    assert bench.status(suspect) == JobStatus.SUCCEEDED
    assert younger == 39, "no more than one worker gets nothing, and no longer than it has to"


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
    assert dry_worker(bench) == b"w2"


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
