from __future__ import annotations

import os
import socket
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from heavylift.endpoints import Check, application, serve
from heavylift.errors import ConfigurationError
from heavylift.settings import EndpointSettings


@contextmanager
def served(**checks: Check) -> Generator[str]:
    settings = EndpointSettings(metrics_host="localhost", metrics_port=0)
    app = application({f"/{name}": check for name, check in checks.items()})
    with capture_logs() as logs, serve(app, settings):
        yield f"http://localhost:{logs[0]['port']}"


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def test_a_check_answers_at_its_path_with_what_is_wrong() -> None:
    with served(livez=lambda: None, readyz=lambda: "draining") as url:
        assert get(f"{url}/livez") == (200, "ok\n")
        assert get(f"{url}/readyz") == (503, "draining\n")
        assert get(f"{url}/") == (404, "There are /livez, /readyz and /metrics.\n")
        assert "\nprocess_" in get(f"{url}/metrics")[1]


def test_a_page_answers_its_own_paths_with_json() -> None:
    app = application({}, lambda path: ("503 Service Unavailable", {"reason": path}) if path != "/else" else None)
    with capture_logs() as logs, serve(app, EndpointSettings(metrics_host="localhost", metrics_port=0)):
        url = f"http://localhost:{logs[0]['port']}"
        assert get(f"{url}/v1/pools/video") == (503, '{"reason": "/v1/pools/video"}\n')
        assert get(f"{url}/else")[0] == 404


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # it has threads, as a worker that forks has
def test_a_forked_child_does_not_hold_the_port() -> None:
    with served(livez=lambda: None) as url:
        port = int(url.rpartition(":")[2])
        ended, end = os.pipe()
        child = os.fork()
        if not child:
            os.close(end)
            os.read(ended, 1)  # until the parent is done
            os._exit(0)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("localhost", port), timeout=5)
    os.close(end)
    os.close(ended)
    os.waitpid(child, 0)


def test_a_taken_port_is_named_with_its_setting_and_the_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(ConfigurationError, match=f"^Port {port} on .* is taken: .*set HEAVYLIFT_METRICS_PORT"),
            serve(application({}), EndpointSettings(metrics_port=port)),
        ):
            pytest.fail("it listens on a taken port")
