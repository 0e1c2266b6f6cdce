"""What all contenders' jobs do: note that they ran. And the commands the bench gives their modules.

A note is one line in one write to a file opened for appending: 2 µs, atomic, and no system is helped by it.

`notes.py MODULE COMMAND …` runs a command on a contender.
"""

from __future__ import annotations

import functools
import importlib
import os
import random
import sys
import time
from collections.abc import Callable


def note(number: int, seconds: float = 0.0) -> int:
    """Note that job `number` runs, and when (CLOCK_MONOTONIC, the same in all processes); then sleep."""
    os.write(_notes(), b"%d %.6f\n" % (number, time.monotonic()))
    if seconds:
        time.sleep(seconds)
    return number


@functools.cache
def _notes() -> int:
    return os.open(os.environ["BENCH_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def main(module: str, *command: str) -> None:
    """Obey one command.

    `fill COUNT [BYTES]` submits jobs and prints the seconds it took, `stored` prints how many results there are,
    `publish` makes job types known, `trickle COUNT SPACING SECONDS FIRST` submits jobs numbered from FIRST one by one.
    """
    # By its name: tasks are named after their module, which must not be `__main__`.
    contender = importlib.import_module(module)
    match command:
        case ["fill", count, *padding]:
            began = time.monotonic()
            contender.fill(int(count), *("x" * int(length) for length in padding))
            print(time.monotonic() - began)
        case ["stored"]:
            print(contender.stored())
        case ["publish"]:
            contender.publish()
        case ["trickle", count, spacing, seconds, first]:
            numbers = range(int(first), int(first) + int(count))
            trickle(contender.submit, numbers, spacing=float(spacing), seconds=float(seconds))
        case other:
            sys.exit(f"unknown command {other}")


def trickle(submit: Callable[[int, float], object], numbers: range, *, spacing: float, seconds: float) -> None:
    """Submit at random moments, `spacing` apart on average, whatever became of the last job; print the moments."""
    chance = random.Random(2026)
    moment = time.monotonic() + 0.2
    lines = []
    for number in numbers:
        moment += chance.expovariate(1 / spacing) if seconds else spacing * chance.uniform(0.5, 1.5)
        time.sleep(max(0.0, moment - time.monotonic()))
        submit(number, seconds)
        lines.append(f"{number} {moment:.6f}")
    print("\n".join(lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
