"""Commands, as a user types them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping


class CommandFailed(AssertionError):  # noqa: N818 - as subprocess names its own
    """A command ended with an error."""

    def __init__(self, command: tuple[str, ...], code: int, output: str) -> None:
        super().__init__(f"`{' '.join(command)}` ended with {code}:\n{output}")
        self.output = output


def run(*command: str, env: Mapping[str, str] | None = None, stdin: str | None = None, timeout: float = 120) -> str:
    """Run a command and return what it printed.

    Raises
    ------
    CommandFailed
        Its exit code is not 0; the message has all of its output.
    subprocess.TimeoutExpired
        It had not ended after `timeout` seconds.

    """
    done = subprocess.run(command, env=env, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode:
        raise CommandFailed(command, done.returncode, done.stdout + done.stderr)
    return done.stdout
