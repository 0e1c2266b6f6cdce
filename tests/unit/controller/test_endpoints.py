from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request

import pytest
from structlog.testing import capture_logs

from heavylift.errors import ConfigurationError
from heavylift_controller.endpoints import application, serve
from heavylift_controller.loop import Loop
from tests.waiting import wait_until


def test_livez_names_the_loop_that_is_stuck() -> None:
    stop, release = threading.Event(), threading.Event()

    def stuck() -> float:
        release.wait(10)
        return 0.01

    loop = Loop("stuck", stuck, stop=stop, pause=0.01, stalled_after=0.1)
    loop.start()
    wait_until(lambda: loop.stalled_for() is not None, what="the stall")
    with capture_logs() as logs, serve(application([loop]), "localhost", 0):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://localhost:{logs[0]['port']}/livez", timeout=5)
        with refused.value as answer:
            assert (answer.code, answer.read()[:14]) == (503, b"stuck: no turn")
    stop.set()
    release.set()
    assert loop.join(2)


def test_a_taken_port_is_named_with_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(ConfigurationError, match=f"{port} .*HEAVYLIFT_CONTROLLER_METRICS_PORT"),
            serve(application([]), "127.0.0.1", port),
        ):
            pytest.fail("it listens on a taken port")
