"""Ending a stack by signal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interrupted_by_signals(hurry: Callable[[], None]) -> Generator[None]:
    """Raise KeyboardInterrupt at the first SIGINT, SIGTERM or SIGHUP; call `hurry` at each later one.

    So the first begins an orderly end, which a second shortens but never breaks off.
    """
    came = False

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal came
        if came:
            hurry()
            return
        came = True
        raise KeyboardInterrupt

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def wait_for_signal() -> None:
    """Block until a signal's handler raises."""
    threading.Event().wait()
