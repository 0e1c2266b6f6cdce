"""The sample jobs, in a worker that the system refuses more processes while a file called `refuse` is there."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from tests.integration.worker.sample_jobs import add, hold

__all__ = ["add", "hold"]

REFUSE = "refuse"

_fork = os.fork


def _fork_or_refuse() -> int:
    if (Path(tempfile.gettempdir()) / REFUSE).exists():
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return _fork()


os.fork = _fork_or_refuse  # ty: ignore[invalid-assignment]
