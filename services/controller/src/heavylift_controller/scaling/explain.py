"""A decision as one English sentence: the number, what set it, and what it was reckoned from."""

from __future__ import annotations

from heavylift_controller.scaling.decision import Decision, Inputs, Limiter, Terms

REASONS = {
    Limiter.WORK: "as many hold jobs",
    Limiter.SLO: "as many begin the waiting jobs in time",
    Limiter.STEADY: "as many carry the work that arrives on average",
    Limiter.IDLE: "free workers are to be kept",
    Limiter.MIN: "the pool keeps as many at least",
    Limiter.WINDOW: "a window of its schedule is open",
    Limiter.MAX: "the pool may have no more",
    Limiter.QUOTA: "the namespace's quota admits no more",
    Limiter.UNSCHEDULABLE: "pods find no node, and more would not either",
    Limiter.FAILING: "new pods do not come up, and more would not either",
    Limiter.WAITING: "none goes while jobs wait",
    Limiter.HOLD: "idle workers are kept for a while",
    Limiter.FLAP: "idle workers are kept for longer, since scale-ins were regretted lately",
    Limiter.BUSY: "no more can go without a job",
    Limiter.ROLLOUT: "nothing is scaled in during a rollout",
    Limiter.PAUSED: "scaling is paused",
    Limiter.FREEZE_IN: "scaling in is frozen",
    Limiter.FREEZE_OUT: "scaling out is frozen",
    Limiter.HELD: "it is held there by hand",
    Limiter.FROZEN: "nothing is changed without data",
}


def sentence(decision: Decision) -> str:
    """Return the sentence."""
    workers = f"{decision.replicas} worker{'' if decision.replicas == 1 else 's'}"
    change = "as before" if decision.replicas == decision.current else f"instead of {decision.current}"
    wanted = f" ({decision.desired} wanted)" if decision.desired != decision.replicas else ""
    cause = f" ({decision.cause})" if decision.cause else ""
    facts = _facts(decision.inputs, decision.terms) if decision.inputs.waiting is not None else ""
    return f"{workers} {change}{wanted}: {REASONS[decision.limiter]}{cause}{facts}."


def _facts(inputs: Inputs, terms: Terms) -> str:
    """Return what was seen and what each consideration asked for."""
    oldest = f", the oldest for {_seconds(inputs.oldest_age)}" if inputs.waiting else ""
    workers = {
        "busy": inputs.busy,
        "idle": inputs.idle,
        "booting": inputs.booting,
        "unknown": inputs.unknown,
        "not coming up": inputs.unavailable,
    }
    seen = ", ".join(f"{count} {name}" for name, count in workers.items() if count) or "none"
    return (
        f"; {inputs.waiting} waiting{oldest}, {inputs.running} running, {inputs.arrivals_per_second or 0:.2g} arriving"
        f" a second; a job takes {_seconds(inputs.service_seconds)}, a boot {_seconds(inputs.boot_seconds)};"
        f" workers: {seen}; asked for: {terms.backlog} by what waits, {terms.steady} by what arrives,"
        f" {terms.work} by what runs, {terms.spare} for free ones, {terms.floor} at least,"
        f" {terms.kept} within a hold of {_seconds(inputs.hold_seconds)}, {terms.ceiling} at most"
    )


def _seconds(seconds: float | None) -> str:
    return "an unknown time" if seconds is None else f"{seconds:.3g} s"
