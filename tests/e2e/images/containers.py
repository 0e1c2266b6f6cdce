"""Containers of the project's images, confined as its pods are."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.e2e.commands import run

CONFINED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--user=10001:10001")
"""What the restricted Pod Security Standard asks for, and a root that cannot be written."""

GRACE = 20
"""Seconds from SIGTERM to SIGKILL."""


class Container:
    """A running container on the host's network, so that both reach each other's loopback ports."""

    def __init__(
        self,
        image: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        mounts: Mapping[Path, str] | None = None,
        entrypoint: str | None = None,
        tmp: bool = True,
    ) -> None:
        self.env = dict(env or {})
        options = [f"--env={name}={value}" for name, value in self.env.items()]
        options += [f"--volume={path}:{place}" for path, place in (mounts or {}).items()]
        options += [f"--entrypoint={entrypoint}"] if entrypoint else []
        options += ["--tmpfs=/tmp"] if tmp else []
        self.id = run("docker", "run", "--detach", "--network=host", *CONFINED, *options, image, *arguments).strip()

    @property
    def running(self) -> bool:
        return self._state["Running"]

    @property
    def exit_code(self) -> int:
        return self._state["ExitCode"]

    @property
    def log(self) -> str:
        command = ["docker", "logs", self.id]
        return subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30, check=True
        ).stdout

    @property
    def events(self) -> list[str]:
        """The `event` of each line of the log that is JSON."""
        return [json.loads(line)["event"] for line in self.log.splitlines() if line.startswith("{")]

    def python(self, program: str) -> str:
        """Run a program inside, and return what it printed."""
        return run("docker", "exec", self.id, "python", "-c", program)

    def processes(self) -> int:
        """Return how many processes there are, those included that have ended and wait to be noticed."""
        # Not `docker top`, which leaves them out.
        return int(self.python("import os; print(sum(name.isdigit() for name in os.listdir('/proc')) - 1)"))

    def signal(self, name: str) -> None:
        run("docker", "kill", f"--signal={name}", self.id)

    def stop(self) -> int:
        """Tell it to end, as Kubernetes does, and return its exit code: 137 if it had to be killed."""
        run("docker", "stop", f"--time={GRACE}", self.id)
        return self.exit_code

    def remove(self) -> None:
        run("docker", "rm", "--force", "--volumes", self.id)

    @property
    def _state(self) -> dict[str, Any]:
        return json.loads(run("docker", "inspect", "--format={{json .State}}", self.id))


class Image:
    """What is known of an image, and what lies in it."""

    def __init__(self, name: str) -> None:
        self.name = name

    @cached_property
    def config(self) -> dict[str, Any]:
        return json.loads(run("docker", "image", "inspect", "--format={{json .Config}}", self.name))

    @cached_property
    def labels(self) -> dict[str, str]:
        prefix = "org.opencontainers.image."
        return {name.removeprefix(prefix): value for name, value in self.config["Labels"].items()}

    @cached_property
    def environment(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.config["Env"])

    @cached_property
    def files(self) -> dict[str, tuple[int, int]]:
        """Mode and size of whatever lies in it, by path; a folder's size is 0."""
        return json.loads(self.python(_LIST))

    def python(self, program: str, *options: str) -> str:
        """Run a program in it, as root so that it sees everything."""
        entry = ("--rm", "--network=none", "--user=0", "--entrypoint=python3", *options)
        return run("docker", "run", *entry, self.name, "-c", program)


_LIST = """
import json, os, stat
found = {}
for folder, folders, files in os.walk("/"):
    if folder == "/":
        folders[:] = set(folders) - {"proc", "sys", "dev"}
    for name in folders + files:
        path = os.path.join(folder, name)
        about = os.lstat(path)
        found[path] = about.st_mode, 0 if stat.S_ISDIR(about.st_mode) else about.st_size
print(json.dumps(found))
"""
