"""A burst on an empty pool of a cluster: our engine, and KEDA's redis trigger with its defaults and tuned."""

from __future__ import annotations

import os
import shlex
import shutil
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from tests.e2e.cluster import Cluster, own_cluster
from tests.e2e.commands import run
from tests.e2e.manifests import REDIS_IMAGE
from tests.e2e.namespace import own_namespace
from tests.e2e.scaling.installation import Installation, installation_values, installed
from tests.e2e.scaling.seen import Seen, What
from tests.e2e.values import Values

from bench.containers import build
from bench.options import Options
from bench.processes import BenchError, LeftOut
from bench.results import Bars, Goal, Result
from bench.spread import Spread, percentile
from heavylift.client import JobView

POOL = "burst"
JOBS, SECONDS, MOST = 12, 2.0, 4
TARGET_WAIT = 15
"""Seconds: three workers or four begin the jobs in time, as boots are, and none is kept for the next burst."""
BURSTS_A_ROUND = 4
WITHIN = 1.0
PATIENCE = 240.0
"""Seconds until a burst must be through."""

BUILTIN, DEFAULTS, TUNED = "Heavylift, builtin", "KEDA redis, its defaults", "KEDA redis, tuned"

HOW = f"""\
{JOBS} jobs of {SECONDS:g} s in one request to a pool of no worker, which may have {MOST} of one slot each: one kind
cluster, a release for each engine, bursts in turns, {BURSTS_A_ROUND} a round. The same workers, jobs and Redis; only
who scales differs. Ours is to begin jobs within {TARGET_WAIT} s. Times run from just before the request, on one clock:
to the first new number of the Deployment, as a watch shows it; to the number that holds for the burst; to the start of
its first job; to the end of its last. "Steps" are the numbers set on the way up. KEDA's defaults: a poll every 30 s, 5
jobs a worker, an HPA's own behavior. Tuned: a poll every second, 1 job a worker, 10 s of cooldown, a scale-out without
limit. Every pool is emptied by hand after a burst, so that no cooldown is waited for. How soon a pod's first job begins
depends on the machine, which all share."""


def _keda(**values: object) -> Values:
    return {"keda": {"mode": "simple", "fallback": None, **values}}


ENGINES: Mapping[str, tuple[str, Values]] = {
    BUILTIN: ("builtin", {"targetWaitSeconds": TARGET_WAIT}),
    DEFAULTS: (
        "keda",
        _keda(jobsPerPod=5, pollingInterval=30, cooldownPeriod=300, behavior=None),
    ),
    TUNED: (
        "keda",
        _keda(
            jobsPerPod=1,
            pollingInterval=1,
            cooldownPeriod=10,
            behavior={
                "scaleUp": {
                    "stabilizationWindowSeconds": 0,
                    "policies": [{"type": "Pods", "value": 100, "periodSeconds": 1}],
                }
            },
        ),
    ),
}
"""By name: `scaling.engine`, and what the pool's autoscaling says beside."""


@dataclass
class Found:
    """All bursts of one engine, in seconds, and the numbers that were set."""

    first_number: list[float] = field(default_factory=list)
    last_number: list[float] = field(default_factory=list)
    first_job: list[float] = field(default_factory=list)
    last_job: list[float] = field(default_factory=list)
    steps: list[tuple[int, ...]] = field(default_factory=list)


def measure(options: Options) -> Result:
    """Return the row."""
    install = _keda_install()
    images = build()
    try:
        return _result(_measured(options, install, images))
    except AssertionError as error:  # how what is used of the end-to-end tests says that something did not come
        raise BenchError(str(error)) from error


def _measured(options: Options, install: Sequence[str], images: Sequence[str]) -> dict[str, Found]:
    found = {name: Found() for name in ENGINES}
    with own_cluster(options.folder, keep=False) as cluster, ExitStack() as releases:
        cluster.load([*images, REDIS_IMAGE])
        run(*install, cluster.name, env=cluster.env, timeout=900)
        installations = {name: releases.enter_context(_installed(cluster, name)) for name in ENGINES}
        for number in range(BURSTS_A_ROUND * options.rounds + 1):
            for name, installation in installations.items():
                burst = found[name] if number else Found()  # the first one reads the image's files
                _burst(installation, burst)
                _empty(installation, by_hand=name != BUILTIN)
    return found


def _keda_install() -> list[str]:
    command = shlex.split(os.environ.get("KEDA_INSTALL", ""))
    if not command:
        raise LeftOut("KEDA_INSTALL does not name a command that installs KEDA into the cluster it is given")
    for tool in ("kind", "kubectl", "helm"):
        if shutil.which(tool) is None:
            raise LeftOut(f"there is no {tool} on this machine")
    return command


@contextmanager
def _installed(cluster: Cluster, name: str) -> Generator[Installation]:
    engine, autoscaling = ENGINES[name]
    label = "-".join(word.strip(",").lower() for word in name.split())
    one: Values = {"controller": {"replicas": 1}}
    scaling = {"max": MOST, **autoscaling}
    with (
        own_namespace(cluster, label) as namespace,
        # Not scaled until its worker has published its job types: KEDA may take it away before that.
        installed(namespace, [POOL], {"scaling": {"engine": "none"}}, one, **scaling) as installation,
    ):
        values = installation_values([POOL], {"scaling": {"engine": engine}}, one, **scaling)
        installation.release.upgrade(values)
        if name == BUILTIN:
            namespace.kubectl("wait", "--for=create", installation.resource(POOL), "--timeout=60s")
        _empty(installation, by_hand=name != BUILTIN)
        yield installation


def _burst(installation: Installation, found: Found) -> None:
    chronicle = installation.watching.chronicle
    position, at = chronicle.position, time.time()
    ids = installation.submit(POOL, *[SECONDS] * JOBS)
    jobs = [installation.client.wait(job, timeout=PATIENCE) for job in ids]
    raised = [seen for seen in chronicle.since(position) if _is_raise(seen)]
    assert raised[0].before == 0, f"the pool was not empty before the burst: {raised}"
    found.first_number.append(raised[0].at - at)
    found.last_number.append(raised[-1].at - at)
    found.first_job.append(min(_began(job) for job in jobs) - at)
    found.last_job.append(max(_ended(job) for job in jobs) - at)
    found.steps.append(tuple(seen.after for seen in raised))


def _is_raise(seen: Seen) -> bool:
    return seen.what is What.SCALED and seen.after > seen.before


def _began(job: JobView) -> float:
    assert job.started_at, job
    return job.started_at.timestamp()


def _ended(job: JobView) -> float:
    assert job.finished_at, job
    return job.finished_at.timestamp()


def _empty(installation: Installation, *, by_hand: bool) -> None:
    if by_hand:
        installation.namespace.kubectl("scale", f"deployment/{installation.deployment(POOL)}", "--replicas=0")
    else:
        installation.rest(POOL)
    installation.wait_until_empty(POOL, timeout=PATIENCE)
    if not by_hand:
        installation.let_go(POOL)
        installation.wait_for_status(POOL, lambda said: not said["held_by"] and said["desired"] == 0, what="its rest")
        installation.wait_until_empty(POOL, timeout=PATIENCE)


def _result(found: Mapping[str, Found]) -> Result:
    ours = found[BUILTIN]
    p95 = percentile(ours.first_number, 0.95)
    one_step = sum(len(steps) == 1 for steps in ours.steps)
    bursts = len(ours.steps)
    return Result(
        row="burst",
        title="A burst on an empty pool",
        how=HOW,
        columns=[
            "",
            "bursts",
            "to the first number, s",
            "95th percentile",
            "to the last number, s",
            "to the first job, s",
            "to the end of the last job, s",
            "steps",
        ],
        lines=[_line(name, each) for name, each in found.items()],
        goals=[
            Goal("burst to a new number, 95th percentile", f"≤ {WITHIN:g} s", f"{p95:.2f} s", p95 <= WITHIN),
            Goal("0 to N in one step", f"{bursts} of {bursts}", f"{one_step} of {bursts}", one_step == bursts),
        ],
        charts=[
            Bars("burst", "From a burst to the first number", "seconds", _spreads(found, "first_number")),
            Bars("burst-jobs", "From a burst to the end of its last job", "seconds", _spreads(found, "last_job")),
        ],
        rounds={
            f"{name}, {what.replace('_', ' ')}": getattr(each, what)
            for name, each in found.items()
            for what in ("first_number", "last_number", "first_job", "last_job")
        },
    )


def _spreads(found: Mapping[str, Found], what: str) -> dict[str, Spread]:
    return {name: Spread.of(getattr(each, what)) for name, each in found.items()}


def _line(name: str, found: Found) -> list[str]:
    common = max(set(found.steps), key=found.steps.count)
    return [
        name,
        str(len(found.steps)),
        Spread.of(found.first_number).text(2),
        f"{percentile(found.first_number, 0.95):.2f}",
        Spread.of(found.last_number).text(1),
        Spread.of(found.first_job).text(1),
        Spread.of(found.last_job).text(1),
        f"0 → {' → '.join(map(str, common))} ({found.steps.count(common)} of {len(found.steps)})",
    ]
