"""Puts the parts of scaling together, as the settings ask for.

A platform that they do not ask for is not imported: the clients of Kubernetes and gRPC cost time and memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field

from heavylift.endpoints import Page
from heavylift.store import Store
from heavylift_controller.loop import Loop
from heavylift_controller.queues import Queues
from heavylift_controller.scaler.platform import Platform
from heavylift_controller.scaler.pools import Pools
from heavylift_controller.scaler.scaler import Scaler
from heavylift_controller.scaler.served import Served
from heavylift_controller.scaler.undrain import undraining
from heavylift_controller.scaler.waker import Waker
from heavylift_controller.settings import ControllerSettings, Scaling

# ruff: noqa: PLC0415 - a platform is imported where it is asked for

STALLED_AFTER = 60.0
"""Seconds without a turn after which the loop counts as stuck: its requests have time limits of seconds."""

Running = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class ScalingParts:
    """The loops, what is served beside the metrics, and what runs around the loops."""

    loops: list[Loop] = field(default_factory=list)
    page: Page = lambda path: None  # noqa: ARG005
    running: Running = nullcontext


def scaling_parts(settings: ControllerSettings, stop: threading.Event) -> ScalingParts:
    """Return the parts, not yet started. Raises ConfigurationError."""
    if settings.scaling is Scaling.OFF:
        return ScalingParts(running=lambda: _undraining(settings, stop))
    return _parts(settings, stop)


@contextmanager
def _undraining(settings: ControllerSettings, stop: threading.Event) -> Generator[None]:
    store = Store.from_settings(settings)
    undraining(store, Queues(store, named=settings.queues), stop)
    yield


def _parts(settings: ControllerSettings, stop: threading.Event) -> ScalingParts:
    assert settings.pools_file is not None
    pools, store = Pools(settings.pools_file), Store.from_settings(settings)
    served = Served() if settings.scaling is Scaling.KEDA else None
    platform, start = _platform(settings, store, pools)
    tick = settings.scaling_tick.total_seconds()
    scaler = Scaler(store, pools, platform, tick=tick, served=served)
    waker = Waker(store, scaler.queues, stop)
    loop = Loop("scaler", scaler.turn, stop=stop, pause=tick, stalled_after=STALLED_AFTER, rest=waker.rest)
    others, page, serving = _keda(settings, pools, served, stop) if served else ([], ScalingParts.page, nullcontext)

    @contextmanager
    def running() -> Generator[None]:
        with ExitStack() as stack:
            stack.enter_context(serving())
            stack.callback(platform.close)
            start()
            waker.start()
            yield

    return ScalingParts([loop, *others], page, running)


def _platform(settings: ControllerSettings, store: Store, pools: Pools) -> tuple[Platform, Callable[[], None]]:
    """Return the place where workers run, and what starts it."""
    if settings.scaling is Scaling.LOCAL:
        from heavylift_controller.local.platform import LocalPlatform

        return LocalPlatform(store), lambda: None
    from heavylift_controller.cluster.api import Api
    from heavylift_controller.cluster.platform import KubernetesPlatform

    platform = KubernetesPlatform(
        Api.connect(settings.namespace),
        lambda: pools.current,
        lease=settings.scaling_lease,
        keda=settings.scaling is Scaling.KEDA,
    )
    return platform, platform.start


def _keda(
    settings: ControllerSettings, pools: Pools, served: Served, stop: threading.Event
) -> tuple[list[Loop], Page, Running]:
    """Return what serves KEDA the numbers, and sees to it that it asks for them."""
    from heavylift_controller.cluster.api import Api
    from heavylift_controller.keda.answers import Answers
    from heavylift_controller.keda.page import desired
    from heavylift_controller.keda.published import Published
    from heavylift_controller.keda.registration import Registration
    from heavylift_controller.keda.server import serve

    published = Published(Store.from_settings(settings))
    answers = Answers(lambda: pools.current, served, published)
    registration = Registration(
        Api.connect(settings.namespace), lambda: [pool.deployment for pool in pools.current.values()]
    )
    loops = [
        Loop("published", published.turn, stop=stop, pause=1.0, stalled_after=STALLED_AFTER),
        Loop("keda-registration", registration.turn, stop=stop, pause=5.0, stalled_after=2 * STALLED_AFTER + 60.0),
    ]
    host = settings.metrics_host
    return loops, lambda path: desired(answers, path), lambda: serve(answers, host=host, port=settings.keda_port)
