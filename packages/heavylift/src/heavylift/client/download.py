"""Receiving an artifact over connections that may break, without network input or output.

The bytes go to a hidden file beside the target, named after the artifact's SHA-256, and take the target's name only
when the hash is right. A later download of the same artifact continues what an interrupted one left.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType

import httpx

from heavylift.client.errors import ApiUnavailable, ApiUnreachable, ClientError, DownloadCorrupted, NoSuchArtifact
from heavylift.client.flow import backoff, describe
from heavylift.client.views import ArtifactView

_BLOCK = 1 << 20


class Download:
    """One artifact on its way to a file. Use it as a context manager."""

    def __init__(self, artifact: ArtifactView, target: Path, *, base_url: str, retries: int) -> None:
        self.artifact = artifact
        self._base_url = base_url
        self._retries = retries
        self._delays = backoff(retries)
        self.target = target / Path(artifact.name).name if target.is_dir() else target
        self._part = self.target.with_name(f".{self.target.name}.{artifact.sha256[:16]}.part")
        self._hash = hashlib.sha256()
        self.received = 0

    def __enter__(self) -> Download:
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._part.open("ab+")
        self._file.seek(0)
        while block := self._file.read(_BLOCK):
            self._count(block)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def complete(self) -> bool:
        """Whether all bytes are here."""
        return self.received >= self.artifact.size

    def headers(self) -> dict[str, str]:
        """Return the headers that ask for what is missing."""
        # Ranges count the bytes of the encoding sent: with gzip they would not be ours.
        headers = {"Accept-Encoding": "identity"}
        return headers | ({"Range": f"bytes={self.received}-"} if self.received else {})

    def begin(self, response: httpx.Response) -> None:
        """Prepare for a response's body: an API that ignored the range sends everything again."""
        if self.received and response.status_code != httpx.codes.PARTIAL_CONTENT:
            self._restart()

    def end(self) -> None:
        """Note the end of a response's body. Raises RemoteProtocolError if bytes are missing."""
        if not self.complete:
            raise httpx.RemoteProtocolError(f"the body ended after {self.received} of {self.artifact.size} bytes")

    def broken(self, error: httpx.TransportError | ApiUnavailable) -> float:
        """Return how long to wait before asking for the rest. Raises the reason to give up."""
        delay = next(self._delays, None)
        if delay is None:
            raise self._gave_up(error) from error
        asked = error.retry_after if isinstance(error, ApiUnavailable) else None
        return max(delay, asked or 0.0)

    def write(self, chunk: bytes) -> None:
        """Append bytes."""
        self._delays = backoff(self._retries)
        self._file.write(chunk)
        self._count(chunk)

    def finish(self) -> Path:
        """Check the bytes and give the file its name.

        Raises
        ------
        DownloadCorrupted
            They are not those of the record; nothing of them is kept.

        """
        if self._hash.hexdigest() != self.artifact.sha256:
            self._file.close()
            self._part.unlink()
            raise DownloadCorrupted(self.artifact.name, expected=self.artifact.sha256, received=self._hash.hexdigest())
        self._file.close()
        return self._part.replace(self.target)

    def _gave_up(self, error: httpx.TransportError | ApiUnavailable) -> ClientError:
        return error if isinstance(error, ClientError) else ApiUnreachable(self._base_url, describe(error))

    def _count(self, block: bytes) -> None:
        self._hash.update(block)
        self.received += len(block)

    def _restart(self) -> None:
        self._file.truncate(0)
        self._hash = hashlib.sha256()
        self.received = 0


def find_artifact(artifacts: list[ArtifactView], job_id: str, name: str) -> ArtifactView:
    """Return the artifact of that name. Raises NoSuchArtifact."""
    for artifact in artifacts:
        if artifact.name == name:
            return artifact
    raise NoSuchArtifact(job_id, name, known=[artifact.name for artifact in artifacts])
