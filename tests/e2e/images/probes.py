"""Waiting for a container to be ready, by asking it as a kubelet does."""

from __future__ import annotations

import httpx

from heavylift.client import Client
from tests.e2e.images.containers import Container
from tests.waiting import wait_until

KEY = "a-key-for-tests"

PROBES = {
    "api": ("HEAVYLIFT_PORT", "/readyz"),
    "controller": ("HEAVYLIFT_METRICS_PORT", "/readyz"),
    "flower": ("HEAVYLIFT_FLOWER_PORT", "/healthcheck"),
    "worker": ("HEAVYLIFT_METRICS_PORT", "/readyz"),
    "worker-video": ("HEAVYLIFT_METRICS_PORT", "/readyz"),
}
"""By image: the setting that chooses its port, and the path that answers 200 once it is ready."""


def ready(container: Container, name: str) -> Container:
    """Wait until the container of this image is ready."""
    setting, path = PROBES[name]
    url = f"http://127.0.0.1:{container.env[setting]}{path}"

    def answers() -> bool:
        assert container.running, container.log
        try:
            return httpx.get(url).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    wait_until(answers, 30, what=f"{name} to be ready")
    return container


def client_of(api: Container) -> Client:
    """Return a client of an API's container."""
    return Client(f"http://127.0.0.1:{api.env['HEAVYLIFT_PORT']}", api_key=KEY)
