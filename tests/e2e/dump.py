"""What somebody needs who was not there when a test failed."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.commands import CommandFailed
from tests.e2e.namespace import Namespace

_KINDS = "all,configmaps,persistentvolumeclaims,poddisruptionbudgets,networkpolicies,horizontalpodautoscalers"


def dump(namespace: Namespace, folder: Path) -> None:
    """Write the namespace's objects, events and logs into a folder. Secrets stay where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(namespace, folder / "objects.txt", "get", _KINDS, "--output", "wide")
    _write(namespace, folder / "objects.yaml", "get", _KINDS, "--output", "yaml")
    _write(namespace, folder / "events.txt", "get", "events", "--sort-by", ".lastTimestamp")
    _write(namespace, folder / "pods.txt", "describe", "pods")
    for pod in namespace.cluster.core.list_namespaced_pod(namespace.name).items:
        for status in [*(pod.status.init_container_statuses or []), *(pod.status.container_statuses or [])]:
            logs = ("logs", pod.metadata.name, "--container", status.name)
            name = f"{pod.metadata.name}.{status.name}"
            _write(namespace, folder / f"{name}.log", *logs)
            if status.restart_count:
                _write(namespace, folder / f"{name}.previous.log", *logs, "--previous")


def _write(namespace: Namespace, file: Path, *command: str) -> None:
    try:
        file.write_text(namespace.kubectl(*command))
    except CommandFailed as error:  # a pod that is gone by now must not hide the others
        file.write_text(str(error))
