"""Many scale-ins under load, with everything broken in between; and what came of it."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

from tests.e2e.scaling import victims
from tests.e2e.scaling.controllers import Controllers
from tests.e2e.scaling.faults import FAULTS
from tests.e2e.scaling.installation import Installation
from tests.e2e.scaling.ledger import Verdict, audit, known, unfinished
from tests.e2e.scaling.load import Load
from tests.e2e.scaling.seen import What
from tests.e2e.scaling.watch import eventually
from tests.waiting import wait_until

MOST = 3
"""Workers a pool has at most: a dozen pods at a time are what a small machine bears."""
AFTER_EACH = 4
"""Scale-ins that are waited for after a fault, at most: the more often each fault happens, the more is shown."""
BETWEEN = 120
"""Seconds within which pools scale in again after a fault."""
DONE = 120


@dataclass
class Report:
    """What was broken, and what it cost. The lists must stay empty."""

    scale_ins: int = 0
    pods_taken: int = 0
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    failovers: list[float] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)
    wrong_victims: list[str] = field(default_factory=list)
    unreported: list[str] = field(default_factory=list)
    """Those of them that no Event of the controller names."""

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield what it says, for a table."""
        yield "scale-ins (counted from a watch of the Deployments)", str(self.scale_ins)
        yield "pods they took", str(self.pods_taken)
        yield "jobs accepted", str(self.verdict.accepted)
        yield "jobs succeeded", str(self.verdict.succeeded)
        yield (
            "jobs interrupted (an attempt that began did not end by itself)",
            str(len(self.verdict.interrupted)),
        )
        yield "claims handed back before their job began", str(self.verdict.handed_back)
        yield "jobs duplicated (by a count the jobs keep outside)", str(len(self.verdict.duplicated))
        yield "wrong victims", str(len(self.wrong_victims))
        yield "wrong victims not reported by the controller", str(len(self.unreported))
        if self.failovers:
            yield "longest from the leader's SIGKILL to the next leader", f"{max(self.failovers):.1f} s"
        yield "duration", f"{self.seconds / 60:.1f} min"
        for fault, times in self.faults.items():
            yield f"fault: {fault}", str(times)


def perform(installation: Installation, scale_ins: int) -> Report:
    """Scale in so often, with every fault at least once, and judge."""
    chronicle, begin, report = installation.watching.chronicle, time.monotonic(), Report()
    start = chronicle.position
    before = known(installation.database, installation.pools)
    each = min(AFTER_EACH, max(1, scale_ins // (2 * len(FAULTS))))

    def done() -> int:
        return len(victims.scale_ins(chronicle.since(start)))

    with Controllers(installation) as controllers:
        with ExitStack() as stack:
            loads = [
                stack.enter_context(Load(installation, name, MOST, n)) for n, name in enumerate(installation.pools)
            ]
            for name in itertools.cycle(FAULTS):
                FAULTS[name](installation, controllers)
                report.faults[name] += 1
                print(f"{time.monotonic() - begin:6.1f} s, {done():3} scale-ins: {name}")
                target = done() + each
                wait_until(lambda n=target: done() >= n, BETWEEN, what=f"scale-ins after {name!r}", every=0.2)
                if done() >= scale_ins and len(report.faults) == len(FAULTS):
                    break
        report.failovers = controllers.failovers
    failures = [load.failure for load in loads if load.failure]
    assert not failures, failures
    for pool in installation.pools:
        installation.let_go(pool)
    queues = installation.pools
    eventually(lambda: not unfinished(installation.database, queues), DONE)
    installation.wait_until_empty(*queues, timeout=DONE)
    accepted = itertools.chain(*(load.accepted for load in loads))
    report.verdict = audit(installation.database, installation.ledger, queues, accepted, before=before)
    entries = chronicle.since(start)
    report.scale_ins = len(victims.scale_ins(entries))
    report.pods_taken = sum(seen.what is What.LEAVING for seen in entries)
    report.wrong_victims = victims.wrong(entries)
    told = " ".join(event.message or "" for event in installation.namespace.events())
    report.unreported = [each for each in report.wrong_victims if each.split()[0] not in told]
    report.seconds = time.monotonic() - begin
    return report
