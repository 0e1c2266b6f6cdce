"""What a worker answers to probes and Prometheus, from a thread of its parent process.

Liveness looks at turns that the worker takes by itself, never at Redis or at jobs: no outage, however long, is a reason
to end a worker that runs jobs, and each try to reach Redis is a turn.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager, nullcontext

from heavylift_worker.pulse import Pulse
from heavylift_worker.supervisor import Supervisor


def endpoints(supervisor: Supervisor, pulses: Iterable[Pulse], queues: Collection[str]) -> AbstractContextManager[None]:
    """Serve `/livez`, `/readyz` and `/metrics` while the block runs, if a port is set. Raises ConfigurationError."""
    settings = supervisor.settings
    if settings.metrics_port is None:
        return nullcontext()
    from heavylift.endpoints import application, serve  # noqa: PLC0415 - 60 ms that only watched workers need
    from heavylift_worker.metrics import PrometheusMeter  # noqa: PLC0415

    patience = settings.stalled_after.total_seconds()
    supervisor.meter = PrometheusMeter(supervisor.desk, supervisor.registry.types.values(), queues)
    checks = {"/livez": lambda: stalled(pulses, patience), "/readyz": lambda: not_ready(supervisor)}
    return serve(application(checks), settings)


def stalled(pulses: Iterable[Pulse], patience: float) -> str | None:
    """Return which loops have taken no turn for longer than `patience` seconds."""
    ages = {pulse.name: age for pulse in pulses if (age := pulse.age()) > patience}
    return "\n".join(f"{name}: no turn for {age:.0f} s" for name, age in ages.items()) or None


def not_ready(supervisor: Supervisor) -> str | None:
    """Return why the worker takes no jobs. Redis being away later on is no reason: it takes them again by itself."""
    if supervisor.desk.draining or supervisor.desk.paused:
        return "draining"
    return None if supervisor.started and supervisor.presence.looked else "starting: it has not reached Redis yet"
