"""`kubectl port-forward`, as NOTES.txt tells the user, and begun again when the pod it had chosen is gone."""

from __future__ import annotations

import socket
import subprocess
import threading
from types import TracebackType

from tests.e2e.namespace import Namespace
from tests.fixtures_redis import free_port
from tests.waiting import wait_until

_PAUSE = 0.3
"""Seconds between two tries: the Service may have no pod for a moment."""


class PortForward:
    """A port of this machine that leads to a port of a Service."""

    def __init__(self, namespace: Namespace, service: str, port: int | str) -> None:
        self.service = service
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        target = f"service/{service}"
        self._command = (
            "kubectl", "--namespace", namespace.name, "port-forward", "--address", "127.0.0.1", target,
            f"{self.port}:{port}",
        )  # fmt: skip
        self._env = namespace.cluster.env
        self._stopping = threading.Event()
        self._process = self._start()
        self._thread = threading.Thread(target=self._keep_up, daemon=True)

    def __enter__(self) -> PortForward:
        self._thread.start()
        wait_until(self._listens, 30, what=f"the forwarded port of {self.service}", every=0.1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._process.terminate()
        self._thread.join()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, env=self._env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _keep_up(self) -> None:
        while True:
            self._process.wait()
            if self._stopping.wait(_PAUSE):
                return
            self._process = self._start()
            if self._stopping.is_set():  # __exit__ may have ended the process before this one
                self._process.terminate()
