"""How many workers each pool should have, and why: pure functions, without a clock, Redis or Kubernetes."""

from heavylift_controller.scaling.decide import decide
from heavylift_controller.scaling.decision import Decision, Inputs, Limiter, Terms
from heavylift_controller.scaling.explain import sentence
from heavylift_controller.scaling.memory import Memory, dump, load
from heavylift_controller.scaling.service_times import bucket
from heavylift_controller.scaling.settings import PoolSettings, QueueTarget, Window
from heavylift_controller.scaling.state import Phase, PoolState, QueueLoad, Running, Worker

__all__ = [
    "Decision",
    "Inputs",
    "Limiter",
    "Memory",
    "Phase",
    "PoolSettings",
    "PoolState",
    "QueueLoad",
    "QueueTarget",
    "Running",
    "Terms",
    "Window",
    "Worker",
    "bucket",
    "decide",
    "dump",
    "load",
    "sentence",
]
