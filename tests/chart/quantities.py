"""Quantities and durations as numbers."""

POWERS = {
    "": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}
SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def as_bytes(quantity: float | str) -> float:
    """Return the bytes of an amount of memory as Kubernetes writes it, such as 512Mi."""
    text = str(quantity)
    digits = text.rstrip("kMGTi")
    return float(digits) * POWERS[text.removeprefix(digits)]


def as_seconds(duration: str) -> int:
    """Return the seconds of a duration as the services write it, such as 15m."""
    digits = duration.rstrip("smhd")
    return int(digits) * SECONDS[duration.removeprefix(digits)]
