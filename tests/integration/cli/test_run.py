"""`heavylift run`, which is `make run`: a film goes in, films come out, and the times are told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from heavylift.cli.exits import ExitCode
from tests.dev_stack import run_cli
from tests.fixtures_redis import free_port

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    options = ("--seconds", "1", "--size", "160x90")
    subprocess.run([sys.executable, "-m", "heavylift_worker.jobs.video.sample", str(path), *options], check=True)
    return path


def test_a_film_is_transcoded_and_told_about(tmp_path: Path, film: Path) -> None:
    port = free_port()
    ended = run_cli("run", str(film), "--once", f"--data={tmp_path / 'data'}", f"--port={port}", "--json")
    assert ended.returncode == ExitCode.OK, ended.stderr
    told = json.loads(ended.stdout)
    results = [Path(path) for path in told["results"]]
    assert {path.name for path in results} == {"90p.mp4", "poster.jpg", "preview.jpg"}
    assert all(path.stat().st_size for path in results)
    assert told["job"]["output"]["stages"]["transcode"] > 0
    assert told["urls"]["docs"] == f"http://127.0.0.1:{port}/docs"
    assert "100%" in ended.stderr


def test_what_is_no_film_ends_with_the_jobs_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no film")
    ended = run_cli("run", str(tmp_path / "text.mp4"), "--once", f"--data={tmp_path / 'data'}", f"--port={free_port()}")
    assert ended.returncode == ExitCode.JOB_FAILED
    assert "status  failed" in ended.stdout
    assert "error   " in ended.stdout


def test_a_film_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    ended = run_cli("run", str(tmp_path / "none.mp4"), f"--data={tmp_path / 'data'}")
    assert ended.returncode == ExitCode.USAGE
    assert not (tmp_path / "data").exists()
