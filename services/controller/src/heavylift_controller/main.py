"""The process: settings, loops, signals."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial

import structlog
from prometheus_client import REGISTRY

from heavylift import logs
from heavylift.artifacts import ArtifactStore
from heavylift.endpoints import application, serve
from heavylift.errors import ConfigurationError
from heavylift.installation import CLAIM_PAUSE, Installation
from heavylift.redis_check import check_redis
from heavylift.settings import load
from heavylift.store import Store
from heavylift_controller.loop import Loop
from heavylift_controller.observer import Observer, QueueStateCollector
from heavylift_controller.queues import Queues
from heavylift_controller.reaper import Reaper
from heavylift_controller.recurring import Recurring
from heavylift_controller.scaler.wiring import scaling_parts
from heavylift_controller.scheduler import Scheduler
from heavylift_controller.settings import ControllerSettings
from heavylift_controller.sweeper import Sweeper

STOP_SECONDS = 1.5
"""How long loops get to end their turn. All they do is one script or can be repeated: cutting it off loses nothing."""

STALLED_AFTER = 30.0
"""Seconds without a turn after which a loop counts as stuck: ten times what Redis's time limits let a turn take."""

SWEEP_STALLED_AFTER = 900.0
"""The same for the sweeper, which may remove folders of many gigabytes."""

USAGE_ERROR = 2
"""Exit code for what only a change of settings or surroundings helps against."""

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger()


def main() -> int:
    """Run until SIGTERM or SIGINT; returns the exit code."""
    # Blocked before any thread starts, and taken by sigwait: no handler runs in the middle of a turn.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        settings = load(ControllerSettings)
        logs.configure(settings)
        check_redis(settings)
        run(settings)
    except ConfigurationError as error:
        print(f"heavylift-controller: {error}", file=sys.stderr)  # noqa: T201
        return USAGE_ERROR
    return 0


def run(settings: ControllerSettings) -> None:
    """Run all loops until a stop signal comes. Raises ConfigurationError."""
    stop = threading.Event()
    scaling = scaling_parts(settings, stop)
    loops = [*build(settings, stop), *scaling.loops]
    checks = {"/livez": lambda: stalled(loops), "/readyz": lambda: without_contact(loops)}
    with serve(application(checks, scaling.page), settings):
        if not claimed(settings):
            return
        with scaling.running():
            for loop in loops:
                loop.start()
            log.info("controller_started", lease_period=settings.lease_period.total_seconds())
            received = signal.sigwait(STOP_SIGNALS)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)  # a second one ends the process at once
            log.info("controller_stopping", signal=signal.Signals(received).name)
            stop.set()
            unfinished = join(loops, STOP_SECONDS)
    log.info("controller_stopped", unfinished=unfinished)


def claimed(settings: ControllerSettings) -> bool:
    """Wait until Redis is known to be this installation's; False: told to stop meanwhile. Raises ConfigurationError."""
    installation = Installation(settings)
    while not installation.claim():
        if signal.sigtimedwait(STOP_SIGNALS, CLAIM_PAUSE):
            return False
    return True


def build(settings: ControllerSettings, stop: threading.Event) -> list[Loop]:
    """Return the loops that every controller has, over the settings' Redis and artifacts, not yet started."""
    tick = settings.controller_tick.total_seconds()
    interval = settings.sweep_interval.total_seconds()
    store = Store.from_settings(settings)
    queues = Queues(store, named=settings.queues)
    reaper = Reaper(Store.from_settings(settings), queues, period=settings.lease_period.total_seconds(), tick=tick)
    observer = Observer(store, queues, tick=tick)
    sweeper = Sweeper(store, queues, ArtifactStore.from_url(settings.artifacts_url), interval=interval)
    REGISTRY.register(QueueStateCollector(observer))
    quick = partial(Loop, stop=stop, pause=tick, stalled_after=STALLED_AFTER + tick)
    return [
        quick("reaper", reaper.turn),
        quick("scheduler", Scheduler(store, queues, tick=tick).turn),
        quick("recurring", Recurring(store, queues, tick=tick).turn),
        quick("observer", observer.turn),
        Loop(
            "sweeper", sweeper.turn, stop=stop, pause=min(interval, 10.0), stalled_after=SWEEP_STALLED_AFTER + interval
        ),
    ]


def stalled(loops: Sequence[Loop]) -> str | None:
    """Return which loops are stuck. A turn that failed is a turn: a restart would not bring Redis back."""
    ages = {loop.name: age for loop in loops if (age := loop.stalled_for()) is not None}
    return "\n".join(f"{name}: no turn for {age:.0f} s" for name, age in ages.items()) or None


def without_contact(loops: Sequence[Loop]) -> str | None:
    """Return which loops have not done any work yet. Later on Redis may be away: they go on when it is back."""
    waiting = [loop.name for loop in loops if not loop.had_contact]
    return f"waiting for Redis: {', '.join(waiting)}" if waiting else None


def join(loops: Sequence[Loop], seconds: float) -> list[str]:
    """Wait for the loops to end, all together no longer than `seconds`; returns the names of those that did not."""
    deadline = time.monotonic() + seconds
    return [loop.name for loop in loops if not loop.join(max(0.0, deadline - time.monotonic()))]
