from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from heavylift.ids import new_job_id
from heavylift.model import Schedule
from heavylift.operations import Submission, fire, list_jobs, plan, publish_types, read_agenda, unplan
from heavylift_controller.queues import Queues
from heavylift_controller.recurring import Recurring
from tests.integration.controller.actors import Board, Time

HOURLY = Schedule(name="hourly", type="video.test", cron="0 * * * *", input={"n": 1})


@pytest.fixture
def board(redis_url: str) -> Iterator[Board]:
    board = Board(redis_url)
    yield board
    board.store.close()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def recurring(board: Board, time: Time) -> Recurring:
    return Recurring(board.store, Queues(board.store), tick=1, clock=time)


def plan_ago(board: Board, schedule: Schedule, ago: timedelta) -> datetime:
    at = (datetime.now(UTC) - ago).replace(microsecond=0)
    board.store.run(plan(board.store.keys, "video", schedule, at))
    return at


def jobs(board: Board) -> list[str]:
    return [job.id for job in board.store.run(list_jobs(board.store.keys, "video"))]


def test_a_due_run_is_submitted_with_its_input_and_the_next_is_planned(board: Board, recurring: Recurring) -> None:
    plan_ago(board, HOURLY, timedelta(seconds=1))
    assert recurring.turn() == 1
    taken = board.claim()
    assert (taken.type, taken.input) == ("video.test", b'{"n":1}')
    _, [planned] = board.store.run(read_agenda(board.store.keys, "video"))
    assert planned.next_at == HOURLY.next_after(datetime.now(UTC))


def test_runs_missed_for_days_are_made_up_for_once(board: Board, recurring: Recurring) -> None:
    plan_ago(board, HOURLY, timedelta(days=3))
    recurring.turn()
    recurring.turn()
    assert len(jobs(board)) == 1


def test_a_run_that_two_schedulers_saw_is_submitted_once(board: Board) -> None:
    plan_ago(board, HOURLY, timedelta(seconds=1))
    now, [seen] = board.store.run(read_agenda(board.store.keys, "video"))
    calls = [
        fire(board.store.keys, seen, HOURLY.next_after(now), Submission(new_job_id("video"), board.info, b"{}"))
        for _ in range(2)
    ]
    assert [board.store.run(call) for call in calls] == [True, False]
    assert len(jobs(board)) == 1


def test_a_schedule_replaced_since_it_was_read_does_not_fire(board: Board) -> None:
    plan_ago(board, HOURLY, timedelta(seconds=1))
    now, [seen] = board.store.run(read_agenda(board.store.keys, "video"))
    board.store.run(plan(board.store.keys, "video", HOURLY, now + timedelta(hours=2)))
    late = fire(board.store.keys, seen, HOURLY.next_after(now), Submission(new_job_id("video"), board.info, b"{}"))
    assert board.store.run(late) is False


def test_a_removed_schedule_fires_no_more(board: Board, recurring: Recurring) -> None:
    plan_ago(board, HOURLY, timedelta(seconds=1))
    assert board.store.run(unplan(board.store.keys, "video", "hourly")) is True
    assert board.store.run(unplan(board.store.keys, "video", "hourly")) is False
    recurring.turn()
    assert jobs(board) == []


def test_a_schedule_of_an_unknown_type_waits_for_a_worker_that_knows_it(
    board: Board, recurring: Recurring, time: Time
) -> None:
    plan_ago(board, HOURLY.model_copy(update={"type": "video.new"}), timedelta(seconds=1))
    recurring.turn()
    assert jobs(board) == []
    board.store.run(publish_types(board.store.keys, [board.info.model_copy(update={"type": "video.new"})]))
    time.now = 1.0
    recurring.turn()
    assert len(jobs(board)) == 1


def test_a_schedule_of_an_unknown_type_is_logged_once_until_it_changes(
    board: Board, recurring: Recurring, time: Time
) -> None:
    def turns(count: int) -> list[str]:
        with capture_logs() as logs:
            for _ in range(count):
                recurring.turn()
                time.now += 1
        return [entry["type"] for entry in logs if entry["event"] == "recurring_job_of_unknown_type"]

    plan_ago(board, HOURLY.model_copy(update={"type": "video.new"}), timedelta(seconds=1))
    assert turns(5) == ["video.new"]
    plan_ago(board, HOURLY.model_copy(update={"type": "video.newer"}), timedelta(seconds=1))
    assert turns(5) == ["video.newer"]
    board.store.run(unplan(board.store.keys, "video", HOURLY.name))
    assert turns(2) == []
    plan_ago(board, HOURLY.model_copy(update={"type": "video.newer"}), timedelta(seconds=1))
    assert turns(5) == ["video.newer"]


def test_a_run_nobody_starts_in_time_expires(board: Board, recurring: Recurring) -> None:
    schedule = HOURLY.model_copy(update={"start_within": timedelta(minutes=5)})
    plan_ago(board, schedule, timedelta(seconds=1))
    recurring.turn()
    [job] = board.store.run(list_jobs(board.store.keys, "video"))
    assert job.expires_at
    assert timedelta(minutes=4) < job.expires_at - datetime.now(UTC) <= timedelta(minutes=5)


def test_it_sleeps_until_the_next_run_but_not_longer_than_a_tick(board: Board, recurring: Recurring) -> None:
    board.store.run(plan(board.store.keys, "video", HOURLY, datetime.now(UTC) + timedelta(seconds=0.5)))
    assert 0 < recurring.turn() <= 0.5


@pytest.mark.parametrize(
    ("cron", "zone", "after", "expected"),
    [
        pytest.param("0 3 * * *", "UTC", "2026-03-01T04:00", "2026-03-02T03:00", id="daily"),
        pytest.param("0 9 * * MON", "Europe/Berlin", "2026-07-01T00:00", "2026-07-06T07:00", id="summer time"),
        pytest.param("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-29T01:00", id="a skipped hour"),
        pytest.param("30 2 * * *", "Europe/Berlin", "2026-10-25T00:31", "2026-10-26T01:30", id="a repeated hour, once"),
    ],
)
def test_cron_times_are_those_of_the_zone(cron: str, zone: str, after: str, expected: str) -> None:
    schedule = Schedule(name="x", type="video.test", cron=cron, time_zone=zone)
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert schedule.next_after(moment) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"cron": "every day"}, "'every day' is not a cron expression .*: it takes five fields, minute"),
        ({"cron": "@hourly"}, "'@hourly' is not a cron expression .*: it takes five fields, minute"),
        ({"cron": "0 25 * * *"}, r"'0 25 \* \* \*' is not a cron expression \(bad hour\): .* hour \(0-23\)"),
        ({"cron": "0 0 32 * *"}, r"is not a cron expression \(bad day-of-month\): .* day of month \(1-31\)"),
        ({"cron": "0 0 32 13 *"}, "is not a cron expression"),
        ({"cron": "0 0 30 2 *"}, "names a date that never comes"),
        ({"cron": "0 0 31 4,6 */2"}, "names a date that never comes"),
        ({"time_zone": "Mars/Olympus"}, "is not a time zone"),
        ({"time_zone": "../../etc/passwd"}, "is not a time zone"),
        ({"name": "Not a name"}, "should match pattern"),
    ],
)
def test_a_schedule_that_never_runs_is_refused(change: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Schedule.model_validate({"name": "x", "type": "video.test", "cron": "0 * * * *", **change})
