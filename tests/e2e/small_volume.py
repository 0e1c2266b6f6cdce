"""A volume that can be filled: some megabytes of the node's memory. kind's own volumes are as large as its disk."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from tests.e2e.commands import run
from tests.e2e.namespace import Namespace


class SmallVolume:
    """A claim of the namespace, bound to a tmpfs of the node."""

    def __init__(self, namespace: Namespace, claim: str) -> None:
        self.namespace = namespace
        self.claim = claim
        self.name = f"{namespace.name}-{claim}"
        self.path = f"/small/{self.name}"

    def make(self, mebibytes: int) -> None:
        self._on_node("mkdir", "-p", self.path)
        self._on_node("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0777", "tmpfs", self.path)
        shape = {"storageClassName": "", "accessModes": ["ReadWriteOnce"]}
        place = {"capacity": {"storage": "1Gi"}, "hostPath": {"path": self.path}}
        owner = {"claimRef": {"namespace": self.namespace.name, "name": self.claim}}
        request = {"resources": {"requests": {"storage": "1Gi"}}, "volumeName": self.name}
        self.namespace.apply(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": self.name},
                "spec": shape | place | owner,
            },
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": self.claim},
                "spec": shape | request,
            },
        )

    def resize(self, mebibytes: int) -> None:
        self._on_node("mount", "-o", f"remount,size={mebibytes}m", self.path)

    def remove(self) -> None:
        self.namespace.cluster.kubectl("delete", "persistentvolume", self.name, "--wait=false")
        self._on_node("umount", "--lazy", self.path)

    def _on_node(self, *command: str) -> None:
        run("docker", "exec", self.namespace.cluster.node, *command)


@contextmanager
def small_volume(namespace: Namespace, claim: str, mebibytes: int) -> Generator[SmallVolume]:
    volume = SmallVolume(namespace, claim)
    volume.make(mebibytes)
    try:
        yield volume
    finally:
        volume.remove()
