"""The controllers of a release: who leads, and how it is killed without a warning, at once."""

from __future__ import annotations

import subprocess
import time
from types import TracebackType

from tests.e2e.commands import run
from tests.e2e.namespace import Pod
from tests.e2e.scaling.installation import Installation
from tests.e2e.scaling.seen import Seen, What
from tests.waiting import wait_until

NEW_LEADER_WITHIN = 15


class Controllers:
    """Kills leaders. A shell on the node stands ready, so that it takes a millisecond and not the start of a command.

    A killed pod is deleted then: the next one would be started after a growing back-off, which is not what is tested.
    """

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._node = installation.namespace.cluster.node
        self._pids: dict[str, list[int]] = {}
        self.failovers: list[float] = []
        """Seconds from each kill to the next leader."""

    def __enter__(self) -> Controllers:
        self._shell = subprocess.Popen(["docker", "exec", "-i", self._node, "sh"], stdin=subprocess.PIPE, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._shell.communicate(timeout=10)

    def prepare(self) -> str:
        """Return the leader, once one leads beside another controller that is ready to."""
        watching = self._installation.watching

        def ready() -> str | None:
            names = [pod.metadata.name for pod in self._installation.release.pods("controller") if _is_ready(pod)]
            return watching.leader if len(names) >= 2 and watching.leader in names else None

        leader = wait_until(ready, 90, what="a leader and another controller", every=0.3)
        self._pids[leader] = self._pids.get(leader) or self._processes(leader)
        return leader

    def kill(self, leader: str) -> float:
        """Kill a prepared leader with SIGKILL and return when."""
        assert self._shell.stdin
        self._shell.stdin.write("kill -9 {}\n".format(" ".join(map(str, self._pids[leader]))))
        self._shell.stdin.flush()
        return time.time()

    def replace(self, leader: str, at: float, position: int) -> Seen:
        """Let another pod take its place; return the next leader, seen after `position`."""
        self._installation.namespace.kubectl("delete", "pod", leader, "--grace-period=0", "--force")
        seen = self._installation.watching.chronicle.wait(
            lambda each: each.what is What.LEADS and each.name not in {"", leader},
            4 * NEW_LEADER_WITHIN,
            after=position,
            what="the next leader",
        )
        self.failovers.append(seen.at - at)
        return seen

    def _processes(self, pod: str) -> list[int]:
        """Return the ids that the pod's processes have on the node, whichever runtime it has."""
        named = f"grep --quiet --no-messages --null-data '^HOSTNAME={pod}$' $process/environ"
        find = f"for process in /proc/[0-9]*; do if {named}; then basename $process; fi; done"
        found = run("docker", "exec", self._node, "sh", "-c", find)
        return [int(line) for line in found.split()]


def _is_ready(pod: Pod) -> bool:
    return all(status.ready for status in pod.status.container_statuses or [])
