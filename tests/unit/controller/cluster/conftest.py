"""An API server whose answers a test writes down, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kubernetes.client.configuration import Configuration

from heavylift_controller.cluster.api import Api
from tests.scripted_api import ScriptedApi


@pytest.fixture
def server() -> Iterator[ScriptedApi]:
    with ScriptedApi() as server:
        yield server


@pytest.fixture
def api(server: ScriptedApi) -> Iterator[Api]:
    api = Api(Configuration(host=server.url), "media")
    yield api
    api.close()
