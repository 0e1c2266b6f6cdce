"""What is left of processes that job code started."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

ENDS_LEFTOVERS = """
import json, os, signal, subprocess, sys, time
from heavylift_worker.descendants import end_leftovers

stays = subprocess.Popen(["/bin/sleep", "60"])
goes = [subprocess.Popen(["/bin/sleep", "60"]) for _ in range(2)]
kill = os.kill

def kernel(pid, number):
    if pid != stays.pid:
        kill(pid, number)
    elif sys.argv[1] == "refuses":  # as for a process of another user
        raise PermissionError(1, "Operation not permitted")

os.kill = kernel  # else it takes the signal, and the process stays, as one does that waits for a dead mount
calls = []
for _ in range(2):
    began = time.monotonic()
    calls.append((end_leftovers(), time.monotonic() - began))
kill(stays.pid, signal.SIGKILL)
os.waitid(os.P_PID, stays.pid, os.WEXITED | os.WNOWAIT)
end_leftovers()
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    print(json.dumps(calls))
"""


@pytest.mark.parametrize("kernel", ["refuses", "delays"])
def test_a_leftover_that_cannot_be_killed_keeps_no_attempt_from_its_end(kernel: str) -> None:
    run = [sys.executable, "-W", "ignore", "-c", ENDS_LEFTOVERS, kernel]
    process = subprocess.run(run, stdout=subprocess.PIPE, timeout=20, check=True)

    [(ended, seconds), (ended_again, seconds_again)] = json.loads(process.stdout.splitlines()[-1])
    assert (ended, ended_again) == (2, 0)
    assert (seconds < 8, seconds_again < 1) == (True, True)
    assert process.stdout.count(b"leftovers_stay") == 1
