from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], env={**os.environ, **env}, capture_output=True, text=True, timeout=20, check=False
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HEAVYLIFT_CONTROLLER_TICK", "soon"),
        ("HEAVYLIFT_LEASE_PERIOD", "0"),
        ("HEAVYLIFT_METRICS_PORT", "http"),
        ("HEAVYLIFT_REDIS_URL", "nonsense"),
        ("HEAVYLIFT_ARTIFACTS_URL", "ftp://x"),
    ],
)
def test_a_bad_setting_is_answered_with_one_sentence(name: str, value: str, redis_url: str) -> None:
    done = run("-m", "heavylift_controller", **{"HEAVYLIFT_REDIS_URL": redis_url, name: value})
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("heavylift-controller: ")
    assert name in done.stderr
    assert done.stderr.count("\n") == 1


def test_it_loads_nothing_that_only_other_services_need() -> None:
    heavy = ("av", "celery", "fastapi", "httpx", "kombu", "obstore", "typer")
    code = f"import sys, heavylift_controller.main; print(*sorted(sys.modules.keys() & set({heavy!r})))"
    done = run("-c", code)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
