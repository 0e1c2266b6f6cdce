from __future__ import annotations

import os
import subprocess

from heavylift_worker.usage import waits_in
from tests.waiting import wait_until


def test_what_a_process_waits_in_is_told_while_it_lives():
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        wait_until(lambda: "pipe" in waits_in(process.pid), what="a wait for its input")
    assert waits_in(process.pid) == ""
    assert waits_in(None) == ""


def test_of_what_runs_nothing_is_told():
    assert waits_in(os.getpid()) == ""
