"""What the worker's pool relies on in Celery's."""

from __future__ import annotations

import inspect

from billiard.pool import ApplyResult, Pool
from billiard.popen_fork import Popen
from celery.concurrency.asynpool import AsynPool


def test_a_lost_job_that_counts_as_accepted_is_still_not_put_back() -> None:
    source = inspect.getsource(AsynPool.on_partial_read)

    assert source.count("self._put_back(job)") == 1
    assert "if not job._accepted:\n            # job was not acked" in source


def test_a_lost_job_that_counts_as_accepted_still_leaves_the_pool() -> None:
    assert "if self._accepted:" in inspect.getsource(ApplyResult._set)
    assert "job._set(None, (False, ExceptionInfo()))" in inspect.getsource(Pool.mark_as_worker_lost)


def test_a_partial_read_is_still_where_a_child_ends_that_has_been_given_a_job() -> None:
    source = inspect.getsource(AsynPool.on_job_process_down)

    assert "if job._write_to and not job._write_to._is_alive():" in source
    assert "self.on_partial_read(job, job._write_to)" in source


def test_a_refused_fork_still_leaves_its_pipe_open() -> None:
    source = inspect.getsource(Popen._launch)

    assert "parent_r, child_w = os.pipe()\n        self.pid = os.fork()" in source
