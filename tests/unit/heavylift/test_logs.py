"""What a process says that was forked while another thread was in the middle of a word."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

FORKS_IN_THE_MIDDLE_OF_A_WORD = """
import os, select, sys, threading, time
import structlog
from heavylift.logs import configure
from heavylift.settings import Settings

configure(Settings())
configure(Settings())
log, word, told = structlog.get_logger(), "x" * 300_000, int(sys.argv[2])
says = {
    "log": lambda word: log.info(word),
    "print": lambda word: print(word, flush=True),
    "warning": lambda word: print(word, file=sys.stderr),
}
fd = 1 if sys.argv[1] == "print" else 2
threading.Thread(target=says[sys.argv[1]], args=(word,), daemon=True).start()
while select.select([], [fd], [], 0)[1]:  # until the pipe is full, and the thread waits within its write
    time.sleep(0.001)
child = os.fork()
if child == 0:
    for say in says.values():
        say("a word of the child's")
    os._exit(0)
os.write(told, b"forked")
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize("says", ["log", "print", "warning"])
def test_a_process_forked_while_a_thread_writes_can_speak(says: str) -> None:
    hears, tells = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", FORKS_IN_THE_MIDDLE_OF_A_WORD, says, str(tells)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"},
        pass_fds=[tells],
        start_new_session=True,
    ) as process:
        os.close(tells)
        try:
            assert select.select([hears], [], [], 20)[0], "the fork waits for the pipe to be read"
            stdout, stderr = process.communicate(timeout=20)
        finally:
            os.close(hears)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    assert process.returncode == 0
    assert stdout.count(b"a word of the child's\n") == 1
    assert stderr.count(b"a word of the child's") == 2
    assert (stdout + stderr).count(b"x" * 300_000) <= 1, "the child has said again what its parent was saying"
