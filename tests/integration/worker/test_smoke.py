"""`python -m heavylift_worker.smoke` against whole stacks that work, and that do not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.dev_stack import RunningStack, environment
from tests.fixtures_redis import free_port

pytestmark = pytest.mark.integration


def smoke(url: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "heavylift_worker.smoke"],
        env={**environment(), "HEAVYLIFT_URL": url, **env},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_it_says_that_an_installation_works(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a key\n")
    with RunningStack(tmp_path / "data") as stack:
        done = smoke(stack.url, HEAVYLIFT_API_KEY_FILE=str(tmp_path / "key"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "result  90p.mp4, by worker-1, " in done.stdout
    assert done.stdout.endswith("It works.\n")


def test_it_waits_for_a_worker_and_says_that_there_is_none(tmp_path: Path) -> None:
    with RunningStack(tmp_path / "data", workers=0) as stack:
        done = smoke(stack.url, HEAVYLIFT_SMOKE_TIMEOUT="3s")
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.count("waiting No worker has published a job type yet.") >= 2
    assert "FAILED: No worker has published a job type yet." in done.stdout.splitlines()[-1]


def test_it_looks_at_what_comes_back(tmp_path: Path) -> None:
    with RunningStack(tmp_path / "data", "--jobs=tests.integration.worker.fake_video") as stack:
        done = smoke(stack.url)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED: the job's output is not one of video.transcode" in done.stdout


def test_it_says_that_nothing_answers() -> None:
    done = smoke(f"http://127.0.0.1:{free_port()}", HEAVYLIFT_SMOKE_TIMEOUT="1s")
    assert done.returncode == 1
    assert "FAILED: No answer from " in done.stdout


def test_a_key_that_cannot_be_read_is_a_wrong_setting() -> None:
    done = smoke("http://127.0.0.1:1", HEAVYLIFT_API_KEY_FILE="/none")
    assert done.returncode == 2
    assert done.stderr.startswith("heavylift-smoke: HEAVYLIFT_API_KEY_FILE: /none: ")
