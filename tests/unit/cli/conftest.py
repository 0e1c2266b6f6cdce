"""The command line in this process, against a scripted API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from heavylift.cli import main
from tests.scripted_api import ScriptedApi


@dataclass
class Ended:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with ScriptedApi() as server:
        yield server


@pytest.fixture
def heavylift(api: ScriptedApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `heavylift` with arguments."""
    monkeypatch.setenv("HEAVYLIFT_URL", api.url)
    monkeypatch.delenv("HEAVYLIFT_API_KEY", raising=False)

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr("sys.argv", ["heavylift", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        written = capsys.readouterr()
        code = ended.value.code
        return Ended(code if isinstance(code, int) else 0, written.out, written.err)

    return run
