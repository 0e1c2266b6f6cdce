"""The cluster, the images on it, and a namespace for each test; a failure leaves everything it needs in a folder."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.e2e.cluster import Cluster, connected, own_cluster
from tests.e2e.commands import run
from tests.e2e.dump import dump
from tests.e2e.machine import used
from tests.e2e.manifests import REDIS_IMAGE
from tests.e2e.namespace import Namespace, own_namespace

REPOSITORY = Path(__file__).parents[2]
SCALING = "tests/e2e/scaling/"
"""Tests that share one installation."""

DUMPS = REPOSITORY / "dist" / "e2e"
LIVE = pytest.StashKey[list[Namespace]]()
KEPT = pytest.StashKey[str]()
SECONDS = 420
"""Longest a test may take, its fixtures included: an image that must be pulled, a pool that must be drained."""

SCALE_IN_SECONDS = 8
"""What each scale-in of the long test may add to that, the faults between them included."""

NamespaceFactory = Callable[[str], AbstractContextManager[Namespace]]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("e2e")
    group.addoption("--keep-cluster", action="store_true", help="leave the suite's kind cluster there to look at")
    group.addoption("--cluster", help="a kind cluster to use instead of one of the suite's own; it stays")
    group.addoption("--scale-ins", type=int, default=50, help="how many scale-ins are watched, faults between them")
    group.addoption("--proof", type=Path, help="a page to write what was shown of scaling to")
    group.addoption("--dump-folder", type=Path, default=DUMPS, help="where failures are described")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    seconds = SECONDS + SCALE_IN_SECONDS * config.getoption("--scale-ins")
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(seconds))
    # The longest first; and what is to be alone when the other process may have nothing left to do.
    items.sort(key=lambda item: (not item.nodeid.startswith(SCALING), item.get_closest_marker("alone") is not None))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with used(alone=item.get_closest_marker("alone") is not None):
        return (yield)


class FileByFile(LoadScopeScheduling):
    """Give each process, which has a cluster of its own, a file at a time, and all of scaling to one."""

    def _split_scope(self, nodeid: str) -> str:
        return SCALING if nodeid.startswith(SCALING) else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileByFile:
    return FileByFile(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for namespace in item.session.stash.get(LIVE, []):
            folder = item.config.getoption("--dump-folder") / _name(item.name) / namespace.name
            dump(namespace, folder)
            report.sections.append(("what was in the namespace", str(folder)))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.getoption("--keep-cluster") and (name := config.stash.get(KEPT, None)):
        terminalreporter.write_line(f"The cluster is kept: use it again with `--cluster {name}`, until the next suite.")


@pytest.fixture(scope="session")
def images() -> list[str]:
    """The project's images, built anew where something has changed."""
    said = run("make", "--directory", str(REPOSITORY), "images", timeout=1200)
    return [line.split()[0] for line in said.splitlines() if line.startswith("heavylift/")]


@pytest.fixture(scope="session")
def cluster(
    images: list[str], pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """A kind cluster with the project's images and Redis's on it."""
    folder = tmp_path_factory.mktemp("cluster")
    given = pytestconfig.getoption("--cluster")
    with (
        connected(given, folder / "kubeconfig")
        if given
        else own_cluster(folder, keep=pytestconfig.getoption("--keep-cluster"))
    ) as cluster:
        pytestconfig.stash[KEPT] = cluster.name
        cluster.load([*images, REDIS_IMAGE])
        yield cluster


@pytest.fixture(scope="session")
def new_namespace(request: pytest.FixtureRequest, cluster: Cluster) -> NamespaceFactory:
    """Make a namespace; while it is there, a failing test describes what is in it."""
    live = request.session.stash.setdefault(LIVE, [])

    @contextmanager
    def make(name: str) -> Generator[Namespace]:
        with own_namespace(cluster, f"{_name(name)}-{secrets.token_hex(2)}") as namespace:
            live.append(namespace)
            try:
                yield namespace
            finally:
                live.remove(namespace)

    return make


@pytest.fixture
def namespace(request: pytest.FixtureRequest, new_namespace: NamespaceFactory) -> Iterator[Namespace]:
    """A namespace of the test's own."""
    with new_namespace(request.node.name) as namespace:
        yield namespace


def _name(text: str) -> str:
    """Return what Kubernetes takes as a name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower().removeprefix("test_"))[:32].strip("-")
