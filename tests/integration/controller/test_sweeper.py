from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from heavylift.artifacts import ArtifactStore, job_key
from heavylift.errors import StoreUnavailable
from heavylift.ids import JobId
from heavylift.operations import Outcome, replay
from heavylift_controller.queues import Queues
from heavylift_controller.sweeper import BATCH, FAILING_SECONDS, Sweeper
from tests.integration.controller.actors import Board, Time
from tests.integration.controller.conftest import StartController
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

SOON = timedelta(milliseconds=1)


def write_files(folder: Path, job_id: JobId) -> Path:
    """Write an input, a published artifact and what a lost attempt staged; returns the job's folder."""
    storage = ArtifactStore.from_url(f"file://{folder}/artifacts")
    for parts in (("input", "clip.mp4"), ("attempt-2", "out.mp4"), ("attempt-1", "out.mp4")):
        storage.write_sync(job_key(str(job_id), *parts), b"bytes")
    return folder / "artifacts" / job_key(str(job_id))


def test_only_finished_jobs_past_their_retention_are_swept_with_all_their_files(
    board: Board, tmp_path: Path, start_controller: StartController
) -> None:
    past = [finished(board, outcome, SOON) for outcome in (Outcome.SUCCEEDED, Outcome.FAILED)]
    kept = finished(board, Outcome.SUCCEEDED, timedelta(days=7))
    [running] = board.submit(retention=SOON)
    board.claim()
    folders = [write_files(tmp_path, job_id) for job_id in (*past, kept, running)]
    controller = start_controller(HEAVYLIFT_LEASE_PERIOD="60")

    swept = "heavylift_swept_jobs_total"
    wait_until(lambda: controller.events("jobs_swept"), what="the sweep")
    wait_until(lambda: controller.samples(swept, "queue") == {"video": 2}, what="the count")

    assert [board.status(job_id) for job_id in (*past, kept, running)] == [None, None, "succeeded", "running"]
    assert [folder.exists() for folder in folders] == [False, False, True, True]
    assert [board.history(job_id) for job_id in past] == [[], []]


def finished(board: Board, outcome: Outcome, retention: timedelta) -> JobId:
    [job_id] = board.submit(retention=retention)
    board.finish(board.claim(), outcome)
    return job_id


def sweeper(board: Board, folder: Path, time: Time | None = None) -> Sweeper:
    storage = ArtifactStore.from_url(f"file://{folder}/artifacts")
    return Sweeper(board.store, Queues(board.store), storage, interval=60, clock=time or Time())


def redis_seconds(board: Board) -> float:
    seconds, micros = board.redis.time()
    return seconds + micros / 1e6


def await_end_of(board: Board, retention: timedelta) -> None:
    over = redis_seconds(board) + retention.total_seconds() + 0.01
    wait_until(lambda: redis_seconds(board) > over, what="the end of the retention")


def test_a_sweep_cut_off_between_files_and_record_is_done_again(board: Board, tmp_path: Path) -> None:
    job = finished(board, Outcome.SUCCEEDED, SOON)
    await_end_of(board, SOON)
    folder = write_files(tmp_path, job)
    board.redis.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
    with pytest.raises(StoreUnavailable):
        sweeper(board, tmp_path).turn()
    assert not folder.exists()
    assert board.status(job) == "succeeded"

    board.redis.execute_command("CLIENT", "UNPAUSE")
    sweeper(board, tmp_path).turn()
    assert board.status(job) is None


def block(folder: Path, job_id: JobId) -> Path:
    """Keep a job's files from being removed; returns what is in the way."""
    blocker = folder / "artifacts" / job_key(str(job_id))
    blocker.parent.mkdir(parents=True, exist_ok=True)
    blocker.write_bytes(b"a file where the job's folder belongs")
    return blocker


def test_a_job_whose_files_cannot_be_removed_is_kept_and_holds_up_no_other(board: Board, tmp_path: Path) -> None:
    stuck, other = [finished(board, Outcome.SUCCEEDED, SOON) for _ in range(2)]
    await_end_of(board, SOON)
    blocker = block(tmp_path, stuck)
    with pytest.raises(ExceptionGroup):
        sweeper(board, tmp_path).turn()
    assert board.status(stuck) == "succeeded"
    assert board.status(other) is None

    blocker.unlink()
    assert sweeper(board, tmp_path).turn() == 60
    assert board.status(stuck) is None


def test_jobs_that_cannot_be_removed_fill_no_batch_twice_before_the_others_had_their_turn(
    board: Board, tmp_path: Path
) -> None:
    stuck = [finished(board, Outcome.SUCCEEDED, SOON) for _ in range(BATCH)]
    await_end_of(board, SOON)
    other = finished(board, Outcome.SUCCEEDED, SOON)
    await_end_of(board, SOON)
    blockers = [block(tmp_path, job_id) for job_id in stuck]
    time = Time()
    sweep = sweeper(board, tmp_path, time)
    with pytest.raises(ExceptionGroup):
        sweep.turn()
    assert board.status(other) == "succeeded"
    time.now += 60
    with pytest.raises(ExceptionGroup):
        sweep.turn()
    assert board.status(other) is None

    for blocker in blockers:
        blocker.unlink()
    time.now += 60
    assert sweep.turn() == 0
    assert sweep.turn() == 60
    assert {board.status(job_id) for job_id in stuck} == {None}


def test_jobs_behind_one_whose_files_storage_is_slow_to_refuse_are_swept(board: Board, tmp_path: Path) -> None:
    stuck, other = [finished(board, Outcome.SUCCEEDED, SOON) for _ in range(2)]
    await_end_of(board, SOON)
    block(tmp_path, stuck)
    time = Time()
    time.step = 2 * FAILING_SECONDS
    sweep = sweeper(board, tmp_path, time)
    for _ in range(2):
        with pytest.raises(ExceptionGroup):
            sweep.turn()
        time.now += 60
    assert (board.status(stuck), board.status(other)) == ("succeeded", None)


def test_a_queue_that_cannot_be_swept_delays_no_other(board: Board, tmp_path: Path) -> None:
    [stuck, *rest] = [finished(board, Outcome.SUCCEEDED, SOON) for _ in range(2 * BATCH)]
    audio = Board(board.url, "audio")
    failing = finished(audio, Outcome.SUCCEEDED, SOON)
    await_end_of(board, SOON)
    block(tmp_path, stuck)
    block(tmp_path, failing)
    sweep = sweeper(board, tmp_path)
    assert [sweep.turn(), sweep.turn()] == [0, 0]
    with pytest.raises(ExceptionGroup) as raised:
        sweep.turn()
    assert {board.status(job_id) for job_id in rest} == {None}
    assert len(raised.value.exceptions) == 2
    assert (board.status(stuck), audio.status(failing)) == ("succeeded", "succeeded")
    audio.store.close()


def test_a_job_replayed_in_time_is_not_swept(board: Board, tmp_path: Path) -> None:
    retention = timedelta(seconds=0.5)
    job = finished(board, Outcome.FAILED, retention)
    assert board.store.run(replay(board.store.keys, job)) == "queued"
    folder = write_files(tmp_path, job)
    await_end_of(board, retention)
    sweeper(board, tmp_path).turn()
    assert board.status(job) == "queued"
    assert folder.exists()
