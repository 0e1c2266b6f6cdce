"""One module a family of autoscalers."""

from __future__ import annotations

from bench.simulator.policies.arc import Arc
from bench.simulator.policies.hpa import Behavior, Cpu, Keda
from bench.simulator.policies.ours import Ours
from bench.simulator.run import Policy

LONG_GRACE = 600.0
"""What Airflow's chart gives its workers; Kubernetes gives 30 s."""
TUNED = Behavior(up_pods=1000, down_window=60.0)


def peers(slots: int, *, seed: int) -> list[Policy]:
    """Return the others. KEDA's defaults are its documentation's; its tuning is what people recommend to each other."""
    return [
        Arc(),
        Keda("KEDA redis, defaults", target=5, seed=seed),
        Keda("KEDA redis, tuned", target=slots, polling=5, cooldown=60, behavior=TUNED, grace=LONG_GRACE, seed=seed),
        Keda("Airflow's rule", target=slots, polling=5, cooldown=30, grace=LONG_GRACE, running_too=True, seed=seed),
        Cpu(seed=seed),
    ]


__all__ = ["Arc", "Behavior", "Cpu", "Keda", "Ours", "peers"]
