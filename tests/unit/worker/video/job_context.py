"""A job context over two plain folders: what the platform does with artifacts and progress, without the platform."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from pydantic import JsonValue

from heavylift import Artifact, JobCancelled
from heavylift.errors import ArtifactNotFound


class FolderContext:
    """Reads artifacts from a folder and publishes into another; cancelled once `cancel_when` says so."""

    id = "video-0190f3a0-7b1e-7c33-8a55-2f1c9d0e4b6a"
    attempt = 1
    idempotency_key = "video-0190f3a0-7b1e-7c33-8a55-2f1c9d0e4b6a"

    def __init__(self, root: Path, *, cancel_when: Callable[[FolderContext], bool] = lambda _: False) -> None:
        self.root = root
        self.workdir = root / "work"
        self.published = root / "published"
        for folder in (self.workdir, self.published):
            folder.mkdir(parents=True)
        self.artifacts: dict[str, Artifact] = {}
        self.steps: list[tuple[float, float | None, str | None]] = []
        self.looks: list[float] = [time.monotonic()]
        """When the job looked whether it is to stop."""
        self._cancel_when = cancel_when

    @property
    def cancelled(self) -> bool:
        return self._cancel_when(self)

    def stop_if_cancelled(self) -> None:
        self.looks.append(time.monotonic())
        if self.cancelled:
            raise JobCancelled

    def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        self.steps.append((done, total, message))
        self.stop_if_cancelled()

    def log(self, message: str, **fields: JsonValue) -> None:
        pass

    def input_file(self, key: str) -> Path:
        path = self.root / key
        if not path.is_file():
            raise ArtifactNotFound(key)
        return path

    def artifact(self, name: str, content: Path | bytes | IO[bytes], *, content_type: str | None = None) -> Artifact:
        path = self.published / name
        if isinstance(content, Path):
            shutil.copyfile(content, path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.read())
        data = path.read_bytes()
        artifact = Artifact(name=name, key=str(path), size=len(data), sha256=hashlib.sha256(data).hexdigest())
        self.artifacts[name] = artifact.model_copy(update={"content_type": content_type or artifact.content_type})
        return self.artifacts[name]
