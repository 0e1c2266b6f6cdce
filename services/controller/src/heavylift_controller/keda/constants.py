"""Names that KEDA and the chart know us by."""

METRIC = "desired_workers"
"""KEDA puts `s0-` before it, for the first trigger."""

POOL = "pool"
"""Key of the trigger's metadata that names the pool."""
