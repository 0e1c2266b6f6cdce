"""The documentation says what the code does."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import sys
import types
from pathlib import Path

import pytest
import typer
from pydantic_settings import BaseSettings

from heavylift import JobType, job
from heavylift.cli.app import app as cli
from heavylift.settings import EndpointSettings, Settings, load
from heavylift_api.app import create_app
from heavylift_api.auth import ApiKeys
from heavylift_api.settings import ApiSettings
from heavylift_controller.settings import ControllerSettings
from heavylift_flower.settings import FlowerSettings
from heavylift_worker.command import main as worker_main
from heavylift_worker.settings import WorkerSettings
from heavylift_worker.smoke import SmokeSettings
from tests.unit.docs.pages import PAGES, Block, anchors, blocks, commands, links, prose
from tests.unit.docs.tables import RENDERED, ROOT, attribute_docstrings, rendered

PYTHON_BLOCKS = [block for page in PAGES for block in blocks(page, "python")]
JOB_BLOCKS = [block for block in PYTHON_BLOCKS if "@job(" in block.code]
MAKEFILE = (ROOT / "Makefile").read_text()
MAKE_TARGETS = set(re.findall(r"^([a-z0-9-]+):", MAKEFILE, re.MULTILINE))
MAKE_VARIABLES = set(re.findall(r"\b[A-Z_]{2,}\b", MAKEFILE))
SETTINGS_CLASSES: tuple[type[BaseSettings], ...] = (
    Settings,
    EndpointSettings,
    ApiSettings,
    WorkerSettings,
    ControllerSettings,
    FlowerSettings,
    SmokeSettings,
)


def by_path(page: Path) -> str:
    return str(page.relative_to(ROOT))


COMMANDS = typer.main.get_group(cli).commands


@pytest.mark.parametrize("page", PAGES, ids=by_path)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", RENDERED, ids=by_path)
def test_tables_are_those_of_the_code(page: Path) -> None:
    again = "run `.venv/bin/python -m tests.unit.docs.tables`"
    assert page.read_text() == rendered(page.read_text()), f"{by_path(page)} is out of date: {again}"


@pytest.mark.parametrize("cls", SETTINGS_CLASSES)
def test_every_setting_is_explained(cls: type[BaseSettings]) -> None:
    unexplained = [name for name, text in attribute_docstrings(cls).items() if not text]
    assert not unexplained, "give them a docstring each"


@pytest.mark.parametrize("page", PAGES, ids=by_path)
def test_every_variable_named_exists(page: Path) -> None:
    known = {f"HEAVYLIFT_{name.upper()}" for cls in SETTINGS_CLASSES for name in cls.model_fields}
    assert set(re.findall(r"HEAVYLIFT_[A-Z_]+", page.read_text())) <= known


@pytest.mark.parametrize("block", PYTHON_BLOCKS, ids=str)
def test_python_compiles(block: Block) -> None:
    compile(block.code, str(block), "exec")


@pytest.mark.parametrize("block", JOB_BLOCKS, ids=str)
def test_example_jobs_are_jobs(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("example")
    monkeypatch.setitem(sys.modules, "example", module)
    exec(compile(block.code, str(block), "exec"), vars(module))
    found = [value for value in vars(module).values() if isinstance(value, JobType)]
    assert found
    assert all(job_type.info().description for job_type in found)


def test_the_decorators_parameters_are_those_of_the_code() -> None:
    rows = (ROOT / "docs/writing-jobs.md").read_text().partition("\n## The decorator\n")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `(\w+)` \| .*? \| (?:`(.+?)`)? *\| .*\|$", rows, re.MULTILINE)
    [declared] = ast.parse(inspect.getsource(job)).body
    assert isinstance(declared, ast.FunctionDef)
    names = [argument.arg for argument in declared.args.kwonlyargs]
    defaults = [ast.unparse(default).replace("'", '"') for default in declared.args.kw_defaults if default]
    assert told == [("name", ""), *zip(names, defaults, strict=True)]


@pytest.mark.parametrize("page", PAGES, ids=by_path)
def test_commands_exist(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        worker_main(["--help"])
    worker_help = capsys.readouterr().out
    for words in commands(page):
        program = words[0].removeprefix(".venv/bin/")
        if program == "make":
            check_make(words[1:])
        elif program == "heavylift":
            check_cli(words[1:])
        elif words[1:2] == ["-m"]:
            assert importlib.util.find_spec(words[2]), words
            if words[2] == "heavylift_worker":
                assert all(word in worker_help for word in words[3:] if word.startswith("--")), words
        else:
            assert program in {"pytest", "pre-commit", "python"}, words


def check_make(words: list[str]) -> None:
    for word in words:
        name, assigns, _ = word.partition("=")
        assert name in (MAKE_VARIABLES if assigns else MAKE_TARGETS), f"make has no {word}"


def check_cli(words: list[str]) -> None:
    if not words:
        return
    command = COMMANDS[words[0]]
    subcommands = getattr(command, "commands", {})
    command = subcommands.get(words[1], command) if words[1:] else command
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    given = {word for word in words[1:] if word.startswith("--")}
    assert given <= options, f"heavylift {words[0]} has no {given - options}"


def test_routes_are_those_of_the_api() -> None:
    table = re.findall(r"^\| `(GET|POST|PUT|DELETE) (/\S*)` \|", (ROOT / "docs/http-api.md").read_text(), re.MULTILINE)
    paths = create_app(load(ApiSettings), keys=ApiKeys({})).openapi()["paths"]
    served = {(method.upper(), path) for path, operations in paths.items() for method in operations}
    assert set(table) == served


def test_every_decision_is_listed() -> None:
    index = ROOT / "docs/decisions/README.md"
    listed = {link for link in links(index) if link[0].isdigit()}
    assert listed == {page.name for page in index.parent.glob("[0-9]*.md")}


@pytest.mark.parametrize("page", PAGES, ids=by_path)
def test_a_page_does_not_name_the_machine_it_was_written_on(page: Path) -> None:
    assert not re.search(r"(?<![\w.:])/(tmp|work|home|root)/", page.read_text())


def test_a_link_that_leads_nowhere_would_be_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A title, with a comma\n[a](b.md) [c](https://example.org) [d](#a-title-with-a-comma)\n")
    assert links(page) == ["b.md", "#a-title-with-a-comma"]
    assert anchors(page) == {"a-title-with-a-comma"}
    assert prose(page)
