from __future__ import annotations

import pytest

from heavylift import operations as ops
from heavylift.model import Artifact, JobStatus, Progress
from heavylift.operations import Ending, Outcome
from tests.integration.store.bench import QUEUE, Bench
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


def test_a_success_is_recorded_whole(bench: Bench) -> None:
    job_id = bench.submit()
    claim = bench.claim_one()
    artifact = Artifact(name="out.mp4", key="jobs/x/out.mp4", size=3, sha256="ab")
    ending = Ending(
        Outcome.SUCCEEDED, output=b'{"n":12345678901234567890}', artifacts=[artifact], usage={"cpu_seconds": 1.5}
    )

    bench.run(ops.finish(bench.keys, job_id, claim.token, ending, attempt=1, worker="w1"))

    job = bench.read(job_id)
    assert (job.status, job.output, job.artifacts) == (JobStatus.SUCCEEDED, {"n": 12345678901234567890}, [artifact])
    assert (job.attempts[0].outcome, job.attempts[0].cpu_seconds) == ("succeeded", 1.5)
    assert bench.events(job_id) == ["queued", "running", "succeeded"]
    assert bench.leases() == []


def test_the_right_token_ends_the_job_once_and_may_ask_again(bench: Bench) -> None:
    job_id = bench.submit()
    claim = bench.claim_one()

    assert bench.finish(claim) == (True, True, "succeeded")
    before = bench.dump()

    assert bench.finish(claim, Outcome.FAILED) == (False, True, "succeeded")
    assert bench.dump() == before
    assert bench.status(job_id) == JobStatus.SUCCEEDED


@pytest.mark.parametrize("outcome", Outcome)
def test_a_lost_lease_writes_nothing(bench: Bench, outcome: Outcome) -> None:
    bench.submit()
    stale = bench.claim_one("old")
    bench.reap_all()
    current = bench.claim_one("new")
    before = bench.dump()

    assert bench.finish(stale, outcome) == (False, False, "running")
    assert bench.dump() == before
    assert bench.finish(current).first


def test_an_unknown_job_cannot_be_finished(bench: Bench) -> None:
    bench.submit()
    claim = bench.claim_one()
    bench.finish(claim)
    bench.redis.flushall()

    assert bench.finish(claim) == (False, False, "")
    assert bench.dump() == {}


def test_a_retry_waits_out_its_delay_and_keeps_the_error(bench: Bench) -> None:
    job_id = bench.submit()
    bench.finish(bench.claim_one(), Outcome.RETRYING, delay=60)

    job = bench.read(job_id)
    assert (job.status, job.error and job.error.message) == (JobStatus.SCHEDULED, "It broke.")
    assert bench.release_due().count == 0
    assert bench.claim() == []


def test_a_success_after_a_retry_forgets_the_error(bench: Bench) -> None:
    job_id = bench.submit()
    bench.finish(bench.claim_one(), Outcome.RETRYING)
    bench.release_due()

    bench.finish(bench.claim_one())

    assert bench.read(job_id).error is None
    assert [attempt.outcome for attempt in bench.read(job_id).attempts] == ["retrying", "succeeded"]


def test_a_retry_of_the_last_attempt_is_the_end(bench: Bench) -> None:
    job_id = bench.submit(max_attempts=1)

    assert bench.finish(bench.claim_one(), Outcome.RETRYING).status == "failed"
    assert bench.read(job_id).error is not None


def test_a_final_failure_is_not_retried(bench: Bench) -> None:
    job_id = bench.submit(max_attempts=5)

    assert bench.finish(bench.claim_one(), Outcome.FAILED).status == "failed"
    assert bench.events(job_id) == ["queued", "running", "failed"]


def test_a_lost_attempt_is_queued_at_once_until_the_attempts_are_used_up(bench: Bench) -> None:
    job_id = bench.submit(max_attempts=2)

    assert bench.finish(bench.claim_one(), Outcome.LOST).status == "queued"
    assert bench.finish(bench.claim_one(), Outcome.LOST).status == "failed"
    assert bench.events(job_id) == ["queued", "running", "lost", "running", "failed"]


def test_a_lost_job_goes_first_again(bench: Bench) -> None:
    first = bench.submit()
    bench.submit()
    bench.finish(bench.claim_one(), Outcome.LOST)

    assert bench.claim_one().id == first


def test_a_released_attempt_is_not_counted(bench: Bench) -> None:
    job_id = bench.submit(max_attempts=1)
    for _ in range(5):
        assert bench.finish(bench.claim_one(), Outcome.RELEASED).status == "queued"

    claim = bench.claim_one()

    assert (claim.id, claim.attempt) == (job_id, 1)


def test_a_job_may_be_released_for_later(bench: Bench) -> None:
    bench.submit(max_attempts=1)

    assert bench.finish(bench.claim_one(), Outcome.RELEASED, delay=60).status == "scheduled"
    assert bench.claim() == []


@pytest.mark.parametrize("outcome", [Outcome.RETRYING, Outcome.RELEASED, Outcome.LOST, Outcome.CANCELLED])
def test_a_job_asked_to_stop_does_not_come_back(bench: Bench, outcome: Outcome) -> None:
    job_id = bench.submit()
    claim = bench.claim_one()
    bench.cancel(job_id)

    assert bench.finish(claim, outcome).status == "cancelled"


def test_a_job_asked_to_stop_may_still_succeed(bench: Bench) -> None:
    job_id = bench.submit()
    claim = bench.claim_one()
    bench.cancel(job_id)

    assert bench.finish(claim).status == "succeeded"


def test_only_the_lease_holder_reports(bench: Bench) -> None:
    bench.submit()
    stale = bench.claim_one()
    bench.reap_all()
    claim = bench.claim_one()
    progress = Progress(done=1, total=2, at=bench.read(claim.id).created_at)

    def report(token: str) -> tuple[bool, bool]:
        told = bench.run(ops.report_progress(bench.keys, claim.id, token, progress))
        logged = bench.run(ops.report_log(bench.keys, claim.id, token, "a line", {"n": 1}))
        return told, logged

    before = bench.dump()
    assert report(stale.token) == (False, False)
    assert bench.dump() == before
    assert report(claim.token) == (True, True)
    assert bench.read(claim.id).progress == progress
    assert bench.events(claim.id)[-1] == "log"


def test_the_next_attempt_begins_without_progress(bench: Bench) -> None:
    bench.submit(max_attempts=9)
    for outcome in (Outcome.LOST, Outcome.RETRYING, Outcome.RELEASED):
        claim = bench.claim_one()
        progress = Progress(done=1, at=bench.read(claim.id).created_at)
        bench.run(ops.report_progress(bench.keys, claim.id, claim.token, progress))
        bench.finish(claim, outcome)
        assert bench.read(claim.id).progress is None
        bench.release_due()


def test_log_lines_are_bounded_and_the_end_is_still_told(bench: Bench) -> None:
    bench.submit()
    claim = bench.claim_one()
    for _ in range(1100):
        bench.run(ops.report_log(bench.keys, claim.id, claim.token, "again", {}))

    bench.finish(claim)

    events = bench.events(claim.id)
    assert (len(events), events[-1]) == (1001, "succeeded")


def test_a_job_given_back_unstarted_still_has_its_start_deadline(bench: Bench) -> None:
    job_id = bench.submit(expires_in=0.05)
    bench.finish(bench.claim_one(), Outcome.RELEASED)

    wait_until(lambda: bench.release_due().count == 1, what="the start deadline")

    assert bench.status(job_id) == JobStatus.EXPIRED


def test_start_deadlines_of_ended_jobs_are_not_kept(bench: Bench) -> None:
    for _ in range(2):
        bench.submit(expires_in=3600)
    bench.cancel(bench.submit(expires_in=3600))
    bench.finish(bench.claim_one())
    bench.claim_one()

    assert bench.redis.zcard(f"{bench.keys.base(QUEUE)}expiring") == 0


def test_the_end_of_a_job_whose_record_is_gone_leaves_nothing_behind(bench: Bench) -> None:
    bench.submit()
    claim = bench.claim_one()
    bench.redis.delete(bench.keys.job(*claim.id), bench.keys.events(*claim.id))

    assert bench.finish(claim).written is False
    assert bench.leases() == []
    assert bench.redis.zcard(bench.keys.index(QUEUE, JobStatus.RUNNING)) == 0
