"""The other side: the same Redis, producers and faults with stock Celery's workers, and what can be audited of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

import redis

from tests.faults import journal
from tests.faults.audit import judge_runs
from tests.faults.journal import Run
from tests.faults.load import Accepted
from tests.faults.processes import Member
from tests.faults.report import Report
from tests.faults.stack import Stack

if TYPE_CHECKING:
    from tests.faults.chaos import Chaos

QUEUE = "faults"
VISIBILITY_MARGIN = 2.0
"""Seconds the visibility timeout is longer than the longest job."""


class StockStack(Stack):
    """Stock Celery. It has no controller, and needs none."""

    side: ClassVar[str] = "celery"
    title: ClassVar[str] = "Celery 5.7"

    def start_controller(self, **env: str) -> Member | None:
        """Start nothing."""

    def start_worker(self, **env: str) -> Member:
        name = self.next_name("worker")
        settings = {
            "FAULTS_VISIBILITY_TIMEOUT": str(max(self.size.lease, self.size.longest + VISIBILITY_MARGIN)),
            "FAULTS_GRACE": str(self.size.grace),
            "REMAP_SIGTERM": "SIGQUIT",  # a soft shutdown, which hands back what outlasts the grace
        }
        command = ["-m", "celery", "--app", "tests.faults.stock", "worker", "--concurrency", str(self.size.slots)]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat", "--hostname", f"{name}@stock"]
        return self.add(self.workers, name, command, {**self.env(), **settings, **self.through(), **env})

    def takes_jobs(self, worker: Member) -> bool:
        return "[queues]" in worker.log.read_text(errors="replace")

    def open_jobs(self) -> int:
        with suppress(redis.RedisError), self.redis.client() as client:
            return left(client)
        return 1

    def commands(self) -> dict[str, tuple[bytes, int]]:
        return {"claim": (b"BRPOP", 40), "note of it": (b"ZADD", 40), "finish": (b"ZREM", 40)}

    def audit(self, chaos: Chaos, report: Report) -> None:
        accepted = self.accepted()
        runs = journal.read(self.journal)
        with self.redis.client() as client:
            stored = stored_results(client, [each.job for each in accepted])
            report.left = left(client)
        count(stored, runs, accepted, report)
        for each in accepted:
            report.excused += unseen(each.job, stored, runs) and chaos.was_cut(each.at)
        report.excused = min(report.excused, report.missing)
        judge_runs(runs, chaos, report)
        report.faults = chaos.counts()
        report.judge()


def left(client: redis.Redis) -> int:
    """Return how many messages wait or are noted as unacknowledged."""
    pipeline: Any = client.pipeline(transaction=False)
    for step in ("", "\x06\x163", "\x06\x166", "\x06\x169"):
        pipeline.llen(f"{QUEUE}{step}")
    pipeline.hlen("unacked")
    return sum(pipeline.execute())


def stored_results(client: redis.Redis, jobs: Sequence[str]) -> set[str]:
    """Return the jobs whose result is stored."""
    pipeline: Any = client.pipeline(transaction=False)
    for job in jobs:
        pipeline.exists(f"celery-task-meta-{job}")
    return {job for job, exists in zip(jobs, pipeline.execute(), strict=True) if exists}


def unseen(job: str, stored: set[str], runs: Mapping[str, Sequence[Run]]) -> bool:
    """Tell whether there is neither a result of the job nor a run that came to its end."""
    return job not in stored and not any(run.ended for run in runs.get(job, ()))


def count(stored: set[str], runs: Mapping[str, Sequence[Run]], accepted: Sequence[Accepted], report: Report) -> None:
    """Count what results and journal say. Attempts and losses are kept nowhere."""
    lost = sum(unseen(each.job, stored, runs) for each in accepted)
    report.accepted = len(accepted)
    report.ended = len(stored)
    report.missing = max(0, lost - report.left)
    report.finished_twice = sum(sum(run.ended for run in runs.get(job, ())) > 1 for job in stored)
    report.miscounted = report.losses = None
