"""A release of the chart, and the API it serves."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from heavylift.client import Client
from tests.e2e.commands import run
from tests.e2e.namespace import Namespace, Pod
from tests.e2e.port_forward import PortForward

CHART = str(Path(__file__).parents[2] / "charts" / "heavylift")
HELM = os.environ.get("HELM", "helm")
HELM3 = os.environ.get("HELM3", "helm3")

Values = Mapping[str, Any]


class Release:
    """A Helm release in a namespace."""

    def __init__(self, namespace: Namespace, name: str = "heavylift", *, helm: str = HELM) -> None:
        self.namespace = namespace
        self.name = name
        self.helm = helm
        self.fullname = name if "heavylift" in name else f"{name}-heavylift"

    def install(self, values: Values | None = None, *, wait: bool = True, timeout: float = 120) -> str:
        return self._apply("install", values or {}, wait=wait, timeout=timeout)

    def upgrade(self, values: Values, *, wait: bool = True, timeout: float = 180, helm: str | None = None) -> str:
        return self._apply("upgrade", values, wait=wait, timeout=timeout, helm=helm)

    def run_helm(self, *arguments: str, helm: str | None = None, stdin: str | None = None, timeout: float = 180) -> str:
        command = (helm or self.helm, "--namespace", self.namespace.name, *arguments)
        return run(*command, env=self.namespace.cluster.env, stdin=stdin, timeout=timeout)

    def pods(self, component: str, pool: str = "") -> list[Pod]:
        """Return the component's pods that are not on their way out."""
        selector = f"app.kubernetes.io/instance={self.name},app.kubernetes.io/component={component}"
        return self.namespace.pods(selector + (f",heavylift.dev/pool={pool}" if pool else ""))

    def secret(self, suffix: str, key: str) -> str:
        """Return a value of one of the release's Secrets."""
        name = f"{self.fullname}-{suffix}"
        secret = self.namespace.cluster.core.read_namespaced_secret(name, self.namespace.name)
        return base64.b64decode(secret.data[key]).decode()

    def restarts(self, component: str, pool: str = "") -> dict[str, int]:
        """Return how often the containers of each pod were started again, by the pod's name."""
        return {
            pod.metadata.name: sum(status.restart_count for status in pod.status.container_statuses or [])
            for pod in self.pods(component, pool)
        }

    def last_words(self, component: str) -> str:
        """Return what a container of the component said when it ended, as `kubectl describe pod` shows it."""
        return next(
            (
                state.terminated.message
                for pod in self.pods(component)
                for status in pod.status.container_statuses or []
                for state in (status.state, status.last_state)
                if state.terminated and state.terminated.message
            ),
            "",
        )

    @contextmanager
    def client(self, *, retries: int = 8) -> Generator[Client]:
        """Yield a client of its API, over a forwarded port, with the key of its Secret."""
        with (
            PortForward(self.namespace, f"{self.fullname}-api", "http") as forward,
            Client(forward.url, self.secret("api-keys", "key"), retries=retries) as client,
        ):
            yield client

    def _apply(self, verb: str, values: Values, *, wait: bool, timeout: float, helm: str | None = None) -> str:
        waiting = ("--wait", "--timeout", f"{timeout:g}s") if wait else ()
        arguments = (verb, self.name, CHART, "--values", "-", *waiting)
        return self.run_helm(*arguments, helm=helm, stdin=json.dumps(values), timeout=timeout + 60)


def helm3_is_missing() -> bool:
    return shutil.which(HELM3) is None
