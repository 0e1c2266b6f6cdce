"""What the images' lock files name, and what the packages they are made of ask for."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[3]
WORKSPACE: dict[str, Path] = {
    canonicalize_name(tomllib.loads(path.read_text())["project"]["name"]): path
    for folder in ("packages", "services")
    for path in REPOSITORY.glob(f"{folder}/*/pyproject.toml")
}
"""Our own packages' pyproject files by name."""

IMAGE_ENVIRONMENT = {
    "python_version": "3.13",
    "python_full_version": "3.13.0",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "os_name": "posix",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
}


@dataclass(frozen=True)
class Pin:
    """One entry of a lock file."""

    requirement: Requirement
    hashes: frozenset[str]

    @property
    def version(self) -> str:
        return str(self.requirement.specifier)


def read_lock(path: Path) -> dict[str, Pin]:
    """Return a lock's entries by name."""
    entries = re.findall(r"^([^\s#].*?) \\\n((?:    --hash=.*\n)+)", path.read_text(), re.MULTILINE)
    pins = [Pin(Requirement(text), frozenset(re.findall(r"--hash=(\S+)", hashes))) for text, hashes in entries]
    return {canonicalize_name(pin.requirement.name): pin for pin in pins}


def applies(requirement: Requirement, *, extra: str = "") -> bool:
    """Whether it is about an image."""
    return requirement.marker is None or requirement.marker.evaluate({**IMAGE_ENVIRONMENT, "extra": extra})


def needed_by(project: str, *extras: str) -> dict[str, set[str]]:
    """Return whatever a package of ours needs in an image, by name, with the versions that are asked for."""
    found: dict[str, set[str]] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(project, extra) for extra in ("", *extras)]
    while waiting:
        if (each := waiting.pop()) in seen:
            continue
        seen.add(each)
        for requirement in _requirements(*each):
            name = canonicalize_name(requirement.name)
            waiting += [(name, extra) for extra in ("", *requirement.extras)]
            if name not in WORKSPACE:
                found.setdefault(name, set()).add(str(requirement.specifier))
    return found


@cache
def _requirements(name: str, extra: str) -> tuple[Requirement, ...]:
    texts = _own(name, extra) if name in WORKSPACE else metadata.requires(name) or ()
    return tuple(requirement for requirement in map(Requirement, texts) if applies(requirement, extra=extra))


def _own(name: str, extra: str) -> Iterator[str]:
    project = tomllib.loads(WORKSPACE[name].read_text())["project"]
    yield from project["dependencies"] if not extra else project["optional-dependencies"][extra]
