"""The metrics of scaling. The controller that leads sets the pools' gauges, all others show 0: take the maximum."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from heavylift_controller.scaling import Limiter

DESIRED = Gauge("heavylift_pool_desired_workers", "Workers a pool should have.", ("pool",))
CURRENT = Gauge("heavylift_pool_current_workers", "Workers that are asked for at present.", ("pool",))
READY = Gauge("heavylift_pool_ready_workers", "Workers that take jobs.", ("pool",))
LIMITER = Gauge("heavylift_pool_limiter", "1 for what makes the pool's number what it is, else 0.", ("pool", "limiter"))
FROZEN = Gauge(
    "heavylift_pool_frozen", "1 while nothing is changed because something could not be read, else 0.", ("pool",)
)
HELD = Gauge("heavylift_pool_held", "1 while somebody holds the pool at a number, else 0.", ("pool",))
SERVICE_SECONDS = Gauge("heavylift_pool_service_seconds", "How long a job is expected to take. Learned.", ("pool",))
BOOT_SECONDS = Gauge("heavylift_pool_boot_seconds", "How long the next worker is expected to boot. Learned.", ("pool",))
HOLD_SECONDS = Gauge("heavylift_pool_hold_seconds", "How long a worker without jobs is kept. Learned.", ("pool",))

CHANGES = Counter("heavylift_scaling_changes", "Times a pool's number was set, by direction.", ("pool", "direction"))
DRAINS = Counter(
    "heavylift_scaling_drains",
    "Drains by how they ended: `deleted`, `released` to take jobs again, or `wrong`: a worker went that was to stay.",
    ("pool", "result"),
)
DRAIN_SECONDS = Histogram(
    "heavylift_scaling_drain_seconds",
    "From a worker's mark to its end by a scale-in.",
    ("pool",),
    # Two looks, a readiness probe of 2 s and a read-back; longer where something is in the way.
    buckets=(0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 120.0),
)
REACTION_SECONDS = Histogram(
    "heavylift_scaling_reaction_seconds",
    "From the time the oldest job of a pool at rest became ready to run until more workers were asked for.",
    ("pool",),
    buckets=(0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0),
)
TICK_SECONDS = Histogram(
    "heavylift_scaling_tick_seconds",
    "How long one look at all pools took, with what was done about it.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 3.0),
)
LEADER = Gauge("heavylift_scaling_leader", "1 while this controller is the one that scales, else 0.")

DIRECTIONS = ("in", "out")
RESULTS = ("deleted", "released", "wrong")

_OF_A_POOL = (DESIRED, CURRENT, READY, FROZEN, HELD, SERVICE_SECONDS, BOOT_SECONDS, HOLD_SECONDS)


def announce(pool: str) -> list[Gauge]:
    """Create a pool's series at 0; returns its gauges, in the order above but for the limiter."""
    for metric in (DRAIN_SECONDS, REACTION_SECONDS):
        metric.labels(pool=pool)
    for limiter in Limiter:
        LIMITER.labels(pool=pool, limiter=str(limiter))
    for direction in DIRECTIONS:
        CHANGES.labels(pool=pool, direction=direction)
    for result in RESULTS:
        DRAINS.labels(pool=pool, result=result)
    return [metric.labels(pool=pool) for metric in _OF_A_POOL]


def reset(pool: str) -> None:
    """Set what is said of a pool to 0: somebody else leads and says it."""
    for metric in _OF_A_POOL:
        metric.labels(pool=pool).set(0)
    for limiter in Limiter:
        LIMITER.labels(pool=pool, limiter=str(limiter)).set(0)


def forget(pool: str) -> None:
    """Drop the series of a pool that is gone."""
    for metric in (*_OF_A_POOL, DRAIN_SECONDS, REACTION_SECONDS):
        metric.remove(pool)
    for limiter in Limiter:
        LIMITER.remove(pool, str(limiter))
    for direction in DIRECTIONS:
        CHANGES.remove(pool, direction)
    for result in RESULTS:
        DRAINS.remove(pool, result)
