"""How a command ends: what scripts may rely on."""

from __future__ import annotations

from enum import IntEnum

from heavylift.client import ApiUnavailable, ApiUnreachable, DownloadCorrupted, NoSuchArtifact, NotFound, Refused
from heavylift.errors import HeavyliftError


class ExitCode(IntEnum):
    """The exit codes of all commands."""

    OK = 0
    JOB_FAILED = 1
    """The job that was waited for failed, was cancelled or expired."""
    USAGE = 2
    """An argument, a setting, or something on this machine is not as the command needs it."""
    NOT_FOUND = 3
    UNREACHABLE = 4
    """The API gave no answer, or was not available in spite of several tries."""
    REFUSED = 5
    """The API understood and said no: invalid input, missing key, the job has ended already."""
    INTERRUPTED = 130
    """Ctrl-C, as shells count it: 128 + SIGINT."""


_BY_ERROR: tuple[tuple[type[HeavyliftError], ExitCode], ...] = (
    (NotFound, ExitCode.NOT_FOUND),
    (NoSuchArtifact, ExitCode.NOT_FOUND),
    (ApiUnreachable, ExitCode.UNREACHABLE),
    (ApiUnavailable, ExitCode.UNREACHABLE),
    (DownloadCorrupted, ExitCode.UNREACHABLE),
    (Refused, ExitCode.REFUSED),
)


def exit_code(error: HeavyliftError) -> ExitCode:
    """Return the code for an error that ended a command; what the API did not say is about this machine."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), ExitCode.USAGE)
