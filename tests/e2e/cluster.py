"""A kind cluster of the suite's own, gone when the suite ends, and those that a killed suite left behind."""

from __future__ import annotations

import fcntl
import os
import secrets
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kubernetes import client, config

from tests.e2e.commands import run

PREFIX = "heavylift-e2e-"


class Cluster:
    """A running kind cluster and how to speak to it.

    `kubectl` and `helm` do what a user does; the clients of Kubernetes's library read what has become of it.
    """

    def __init__(self, name: str, kubeconfig: Path) -> None:
        self.name = name
        self.kubeconfig = kubeconfig
        kubeconfig.write_text(run("kind", "get", "kubeconfig", "--name", name))
        self.env = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        self._client = config.new_client_from_config(str(kubeconfig))
        # Left untyped: the models call every field optional, those too that Kubernetes always sets.
        self.core: Any = client.CoreV1Api(self._client)
        self.apps: Any = client.AppsV1Api(self._client)
        self.coordination: Any = client.CoordinationV1Api(self._client)
        self.policy: Any = client.PolicyV1Api(self._client)

    @property
    def node(self) -> str:
        """The container that is its only node."""
        return f"{self.name}-control-plane"

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        return run("kubectl", *arguments, env=self.env, stdin=stdin, timeout=timeout)

    def load(self, images: Sequence[str]) -> None:
        """Put images onto the node, but for those that it has, and those that are not here: it pulls them itself."""
        here = run("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
        run("kind", "load", "docker-image", "--name", self.name, *(set(images) & set(here)), timeout=300)

    def close(self) -> None:
        self._client.rest_client.pool_manager.clear()
        self._client.close()


@contextmanager
def own_cluster(folder: Path, *, keep: bool) -> Generator[Cluster]:
    """Yield a new cluster, with the node image of $KIND_NODE_IMAGE or kind's own choice."""
    _remove_leftovers()
    name = PREFIX + secrets.token_hex(3)
    image = os.environ.get("KIND_NODE_IMAGE")
    kubeconfig = folder / "kubeconfig"
    with _in_use(name):
        try:
            run(
                *("kind", "create", "cluster", "--name", name, "--wait", "120s", "--kubeconfig", str(kubeconfig)),
                *(("--image", image) if image else ()),
                timeout=300,
            )
            with connected(name, kubeconfig) as cluster:
                yield cluster
        finally:
            if not keep:
                _delete(name)


@contextmanager
def connected(name: str, kubeconfig: Path) -> Generator[Cluster]:
    """Yield a cluster that is there already."""
    cluster = Cluster(name, kubeconfig)
    try:
        yield cluster
    finally:
        cluster.close()


def _remove_leftovers() -> None:
    """Delete clusters of suites that no longer run; Docker starts them again with itself."""
    for name in run("kind", "get", "clusters").split():
        if name.startswith(PREFIX):
            try:
                with _in_use(name):
                    _delete(name)
            except BlockingIOError:
                continue


@contextmanager
def _in_use(name: str) -> Generator[None]:
    """Hold the cluster's lock, which the system frees when this process ends, however it ends."""
    path = Path(tempfile.gettempdir(), f"{name}.lock")
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    path.unlink(missing_ok=True)


def _delete(name: str) -> None:
    nobodys = Path(tempfile.gettempdir(), f"{name}.kubeconfig")  # the user's own is not touched
    run("kind", "delete", "cluster", "--name", name, "--kubeconfig", str(nobodys), timeout=180)
