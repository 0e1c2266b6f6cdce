"""One release for these tests: three pools that start at nothing; and the page that their figures are written to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import NamespaceFactory
from tests.e2e.scaling.installation import Installation, installed
from tests.e2e.scaling.proof import Proof

POOLS = ("red", "green", "blue")


@pytest.fixture(scope="package")
def installation(new_namespace: NamespaceFactory) -> Iterator[Installation]:
    with new_namespace("scaling") as namespace, installed(namespace, POOLS) as installation:
        yield installation


@pytest.fixture
def scaled(installation: Installation) -> Installation:
    """The release, with every pool left to itself and at nothing."""
    for pool in installation.pools:
        installation.rest(pool)
    installation.wait_until_empty(*installation.pools)
    for pool in installation.pools:
        installation.let_go(pool)
        installation.wait_for_status(pool, lambda said: not said["held_by"], what="a hold's end")
    return installation


@pytest.fixture(scope="session")
def proof(pytestconfig: pytest.Config) -> Iterator[Proof]:
    """Where figures go: printed, and with `--proof` written to a page."""
    proof = Proof()
    yield proof
    if path := pytestconfig.getoption("--proof"):
        path.write_text(proof.page())
