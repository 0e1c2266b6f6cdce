"""The documentation's examples do what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from heavylift.client import Client
from heavylift.dev import DevStack, StackOptions
from heavylift.model import JobStatus
from tests.unit.docs.pages import Block, blocks
from tests.unit.docs.tables import ROOT

pytestmark = pytest.mark.integration

README = ROOT / "README.md"
WRITING = ROOT / "docs/writing-jobs.md"
DEFAULT_URL = "http://127.0.0.1:8000"
CLIENTS = [block for block in blocks(README, "python") if "heavylift.client" in block.code]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevStack]:
    """A stack that serves every example job."""
    folder = tmp_path_factory.mktemp("examples")
    examples = [block for page in (README, WRITING) for block in blocks(page, "python") if "@job(" in block.code]
    names = [f"example_{number}" for number in range(len(examples))]
    for name, block in zip(names, examples, strict=True):
        (folder / f"{name}.py").write_text(block.code)
    options = StackOptions(
        data=folder / "data", port=None, flower=False, jobs=names, env={"PYTHONPATH": os.fspath(folder)}
    )
    with DevStack(options) as running:
        yield running


@pytest.mark.parametrize("block", CLIENTS, ids=str)
def test_client_examples_print_what_their_comments_say(block: Block, stack: DevStack, tmp_path: Path) -> None:
    promised = [line.partition("  # ")[2] for line in block.code.splitlines() if "print(" in line and "  # " in line]
    assert promised
    code = block.code.replace(DEFAULT_URL, stack.api_url)
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert set(promised) <= set(ran.stdout.splitlines())


def test_a_file_goes_into_the_example_that_takes_one(stack: DevStack, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("one two three")
    (tmp_path / "latin.txt").write_bytes("drei W\u00f6rter hier".encode("latin-1"))
    with Client(stack.api_url) as client:
        counted = client.wait(client.upload(tmp_path / "notes.txt", "text.words").id)
        assert counted.output == {"words": 3}
        for encoding in ("utf-8", "utf-16", "utf-61"):  # each another exception
            upload = client.upload(tmp_path / "latin.txt", "text.words", job_input={"encoding": encoding})
            refused = client.wait(upload.id)
            assert (refused.status, len(refused.attempts)) == (JobStatus.FAILED, 1)
            assert refused.error is not None
            assert refused.error.message.startswith(f"The file cannot be read as {encoding} (")
        named = client.upload(tmp_path / "latin.txt", "text.words", job_input={"encoding": "latin-1"})
        assert client.wait(named.id).output == {"words": 3}


def test_the_awaiting_example_fetches_pages(stack: DevStack) -> None:
    url = f"{stack.api_url}/livez"
    with Client(stack.api_url) as client:
        job = client.wait(client.submit("pages.measure", {"urls": [url]}).id)
    assert job.output == {"sizes": {url: len('{"status":"ok"}')}}, job.error
