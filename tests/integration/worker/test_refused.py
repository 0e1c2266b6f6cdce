"""A worker that the system refuses another child: it takes no more jobs than it has children."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.fixtures_worker import Jobs, StartWorker
from tests.integration.worker.holding import holding, pids_of
from tests.integration.worker.refused_jobs import REFUSE
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


def test_jobs_for_which_there_is_no_child_are_left_to_other_workers(
    own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path
) -> None:
    refused = start_worker(slots=2, modules="tests.integration.worker.refused_jobs")
    held = holding(own_jobs, tmp_path)
    [busy] = pids_of(tmp_path)
    [idle] = set(refused.children()[1:]) - {busy}  # the first is the guard
    (tmp_path / REFUSE).touch()
    os.kill(idle, signal.SIGKILL)
    wait_until(lambda: refused.events("fork_refused"), what="its word of it")

    waiting = own_jobs.submit("add", a=1)
    start_worker()
    assert own_jobs.ended(waiting).attempts[-1].worker != refused.name
    assert own_jobs.events(waiting) == ["queued", "running", "succeeded"]

    (tmp_path / REFUSE).unlink()
    wait_until(lambda: len(refused.children()) == 3, 15, what="its second child")
    (tmp_path / "go").touch()
    assert [each.outcome for each in own_jobs.ended(held).attempts] == ["succeeded"]
