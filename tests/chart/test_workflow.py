"""The public workflow: least permissions, nothing from others but by digest, and make targets that exist."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.y*ml"))

PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def text(request: pytest.FixtureRequest) -> str:
    return request.param.read_text()


def steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


def test_there_is_a_job_for_each_purpose():
    assert set(yaml.safe_load((ROOT / ".github/workflows/ci.yaml").read_text())["jobs"]) == {
        *("test", "chart", "e2e", "images")
    }


def test_an_action_is_pinned_by_digest_and_its_release_is_named(text: str):
    uses = [line.strip() for line in text.splitlines() if re.search(r"\buses:", line)]
    assert uses
    assert not [line for line in uses if not PINNED.search(line)]


def test_an_action_is_of_one_version(text: str):
    pins = re.findall(r"uses: (\S+)@(\S+)", text)
    assert len({action for action, _ in pins}) == len(set(pins))


def test_it_may_read_and_nothing_else(text: str):
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    assert not [name for name, job in workflow["jobs"].items() if "permissions" in job]
    assert "secrets." not in text
    assert "pull_request_target" not in text


def test_a_checkout_leaves_no_credentials_behind(text: str):
    checkouts = [step for step in steps(yaml.safe_load(text)) if "actions/checkout@" in step.get("uses", "")]
    assert checkouts
    assert [step["with"]["persist-credentials"] for step in checkouts] == [False] * len(checkouts)


def test_a_job_ends_in_time(text: str):
    assert all(job["timeout-minutes"] <= 60 for job in yaml.safe_load(text)["jobs"].values())


def test_what_strangers_write_is_not_pasted_into_a_script(text: str):
    """Titles and branch names of a pull request would run as shell."""
    scripts = "\n".join(step.get("run", "") for step in steps(yaml.safe_load(text)))
    pasted = set(re.findall(r"\$\{\{ *(.*?) *\}\}", scripts))
    assert pasted <= {"github.server_url", "github.repository"}


def test_a_make_target_exists(text: str):
    targets = {
        target for step in steps(yaml.safe_load(text)) for target in re.findall(r"\bmake ([\w-]+)", step.get("run", ""))
    }
    assert targets
    for target in targets:
        asked = subprocess.run(["make", "--question", target], cwd=ROOT, capture_output=True, text=True, check=False)
        assert "No rule to make target" not in asked.stderr, target


def test_a_file_that_is_named_exists(text: str):
    for name in re.findall(r"\$\{\{ github\.workspace \}\}/(\S+)", text):
        assert (ROOT / name).is_file(), name
