"""Job types found in modules."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from heavylift.errors import ConfigurationError
from heavylift_worker.registry import Registry

HEAD = "from heavylift import job, JobContext\nfrom pydantic import BaseModel\nclass I(BaseModel): pass\n"
JOB = "@job({name!r}, queue={queue!r})\ndef f{n}(ctx: JobContext, input: I) -> None: pass\n"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """Write a module and return its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, text: str) -> str:
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)
        return name

    return write


def _jobs(*jobs: tuple[str, str]) -> str:
    return HEAD + "".join(JOB.format(name=name, queue=queue, n=n) for n, (name, queue) in enumerate(jobs))


def test_all_types_of_all_modules_are_served(module: Callable[[str, str], str]) -> None:
    one = module("types_one", _jobs(("a", "slow"), ("b", "fast")))
    two = module("types_two", _jobs(("c", "slow")))
    registry = Registry.load([one, two])

    assert set(registry.types) == {"a", "b", "c"}
    assert registry.queues == ("slow", "fast")


def test_a_type_imported_by_another_module_is_the_same(module: Callable[[str, str], str]) -> None:
    one = module("types_three", _jobs(("a", "slow")))
    two = module("types_four", "from types_three import f0\n")
    assert set(Registry.load([one, two]).types) == {"a"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (_jobs(("a", "q"), ("a", "q")), "Job type 'a' is declared twice"),
        ("", "it holds no job type; declare one with @job"),
        ("\nimport no_such_library", r"Error: No module named 'no_such_library' \(.*types_bad\.py:2\)$"),
        ("\nfrom pathlib import nothing", r"ImportError: cannot import name 'nothing' .* \(.*types_bad\.py:2\)$"),
        ("1 / 0", r"ZeroDivisionError: division by zero \(.*types_bad.py:1\)"),
        ("\ndef (", r"SyntaxError: .* \(.*types_bad\.py:2\)$"),
        (_jobs(("a", "Not A Queue")), "Job type 'a': queue is 'Not A Queue'; it takes lower case letters"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_sentence(module: Callable[[str, str], str], text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Registry.load([module("types_bad", text)])


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("./myjobs.py", "myjobs"),
        ("myjobs.py", "myjobs"),
        ("team/myjobs.py", "team.myjobs"),
        ("team/myjobs", "team.myjobs"),
        ("../else/myjobs.py", "myjobs"),
        (".myjobs", "myjobs"),
        ("", "primes"),
    ],
)
def test_a_file_in_place_of_a_module_is_answered_with_the_module(given: str, name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"dotted name, without \.py, such as {name}\. Modules are"):
        Registry.load([given])


def test_a_file_of_this_folder_is_named_from_it_however_it_is_given() -> None:
    with pytest.raises(ConfigurationError, match=r"such as team\.myjobs\."):
        Registry.load([str(Path.cwd() / "team" / "myjobs.py")])


@pytest.mark.parametrize("missing", ["no_such_module", "no_such.module", "types_whole.part"])
def test_where_modules_are_looked_for_is_said_where_one_is_missing(
    module: Callable[[str, str], str], missing: str
) -> None:
    module("types_whole", _jobs(("a", "q")))
    words = rf"^HEAVYLIFT_JOBS \(--jobs\) {missing}: No module named .*\. Modules are looked for in the folder"
    with pytest.raises(ConfigurationError, match=words):
        Registry.load([missing])


def test_a_library_that_cannot_be_preloaded_is_named(module: Callable[[str, str], str]) -> None:
    text = HEAD + "@job('a', libraries=['no_such_library'])\ndef f(ctx: JobContext, input: I) -> None: pass\n"
    with pytest.raises(ConfigurationError, match="'no_such_library' cannot be preloaded"):
        Registry.load([module("types_heavy", text)]).preload()


def test_a_library_that_is_not_installed_is_named_before_any_job_is_taken(module: Callable[[str, str], str]) -> None:
    text = HEAD + "@job('a', queue='q', libraries=['no_such.module'])\ndef f(ctx: JobContext, input: I) -> None: pass\n"
    registry = Registry.load([module("types_lacking", text)])

    registry.check_libraries(["other"])
    with pytest.raises(ConfigurationError, match=r"a needs no_such\.module, which is not installed here"):
        registry.check_libraries(["q"])
