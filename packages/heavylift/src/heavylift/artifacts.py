"""Files in and out of jobs, in a folder or an S3 bucket: written whole or not at all, streamed in constant memory.

The problem: uploads of several GiB must not fill memory, a reader must never see half a file, and a writer may die or
be cancelled at any byte. Both storages give the same promise through obstore: a key appears when its last byte is in.

Surprises dealt with here (and one in artifact_content.py):

- obstore's runtime threads do not survive a fork; a call in the child would wait for ever. So it is imported with the
  first use, and a process forked after that is refused. `check` and a folder's `local_path` leave it alone.
- obstore's asyncio calls abort an interpreter that ends soon after one, since its threads still hold Python objects
  (measured: 251 of 450 exits; 0 of 450 with the blocking calls). So only the blocking ones are used, from threads.
- A killed process leaves parts of its S3 uploads in the bucket, invisible: give it a lifecycle rule that aborts
  incomplete multipart uploads. In a folder they are removed with the job's other files.
- An S3 download's time limit covers its whole body. So reads go part by part, pinned to one version of the object.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import multiprocessing
import os
import re
import shutil
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Generator, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, TypedDict
from urllib.parse import unquote, urlsplit

from heavylift.artifact_content import PIECE, AsyncContent, Content, HandOver, Stored, StreamContent
from heavylift.errors import ArtifactNotFound, ArtifactStorageUnavailable, ConfigurationError, InvalidArtifactName

if TYPE_CHECKING:
    from types import ModuleType

    from obstore import Attributes, GetOptions
    from obstore.store import ObjectStore

PART = 8 * 1024 * 1024
"""Bytes of one request of a longer content. S3 takes 10,000 parts an object: files of up to 78 GiB."""

PARTS_IN_FLIGHT = 4
"""Parts one upload sends at a time: with PART it bounds an upload's memory to some 40 MiB."""

DEFAULT_CONTENT_TYPE = "application/octet-stream"

_KEY_LENGTH = 800
_NAME_LENGTH = 200
_SEGMENT = re.compile(r"[A-Za-z0-9._-]+\Z")


class PutOptions(TypedDict, total=False):
    """Keyword arguments of obstore's put."""

    use_multipart: bool
    chunk_size: int
    max_concurrency: int
    attributes: Attributes


class Stat(NamedTuple):
    """What storage knows about a file."""

    size: int
    version: str | None
    """Changes with the content."""


def check_name(name: str) -> str:
    """Return the name if it may name an artifact, or raise InvalidArtifactName."""
    return _checked(name, _NAME_LENGTH)


def job_key(job_id: str, *parts: str) -> str:
    """Return the key of a job's file, `jobs/<job id>/<parts>`, or raise InvalidArtifactName."""
    return _checked("/".join(("jobs", job_id, *parts)), _KEY_LENGTH)


def _checked(path: str, length: int) -> str:
    segments = path.split("/")
    if len(path) > length or any(not _SEGMENT.match(segment) or segment in {".", ".."} for segment in segments):
        raise InvalidArtifactName(path)
    return path


class ArtifactStore:
    """Artifact storage. Safe to build before a fork, and to share between threads.

    Every method takes keys as `job_key` makes them and raises InvalidArtifactName for any other, ArtifactNotFound where
    there is no such file, and ArtifactStorageUnavailable when storage does not answer or refuses.
    """

    def __init__(self, url: str, *, folder: Path | None) -> None:
        self.url = url
        self.folder = folder
        self._store: ObjectStore | None = None

    @classmethod
    def from_url(cls, url: str) -> ArtifactStore:
        """Return the storage at `file:///folder` or `s3://bucket/prefix`; raises ConfigurationError for another URL.

        S3's region, endpoint and credentials come from the usual `AWS_*` variables; an endpoint without TLS needs
        `AWS_ALLOW_HTTP=true`. Nothing is connected or created before the first use.
        """
        parts = urlsplit(url)
        path = unquote(parts.path)
        if parts.scheme == "file" and parts.netloc in {"", "localhost"} and len(path) > 1:
            return cls(url, folder=Path(path))
        if parts.scheme == "s3" and parts.netloc:
            _check_endpoint()
            return cls(url, folder=None)
        raise ConfigurationError(
            f"HEAVYLIFT_ARTIFACTS_URL: {url!r} must be file:///an/absolute/folder or s3://bucket/prefix"
        )

    def local_path(self, key: str) -> Path | None:
        """Return where a folder's file lies, to be read and not changed; None for S3. Raises ArtifactNotFound."""
        _checked(key, _KEY_LENGTH)
        if self.folder is None:
            return None
        path = (self.folder / key).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise InvalidArtifactName(key)
        if not path.is_file():
            raise ArtifactNotFound(f"There is no artifact {key!r} in storage.")
        return path

    async def write(
        self, key: str, content: AsyncIterable[bytes], *, content_type: str = DEFAULT_CONTENT_TYPE
    ) -> Stored:
        """Write what `content` yields. If it raises, or the task is cancelled, nothing is left behind."""
        _checked(key, _KEY_LENGTH)
        pieces = AsyncContent(content)
        with _translated(key, pieces):
            first = await pieces.next()
            second = await pieces.next() if len(first) >= PIECE else b""
            if second:
                await self._upload(key, first, second, pieces, content_type)
            else:
                pieces.measure(first)
                options = self._options(content_type, multipart=False)
                await asyncio.to_thread(self._put, key, first, options)
        return pieces.stored()

    async def _upload(self, key: str, first: bytes, piece: bytes, rest: AsyncContent, content_type: str) -> None:
        options = self._options(content_type, multipart=True)
        hand_over = HandOver(rest)
        thread = ThreadPoolExecutor(1, "upload")  # its own: uploads that wait for slow clients must not use up a pool
        upload = asyncio.get_running_loop().run_in_executor(thread, self._put, key, hand_over, options)
        try:
            await hand_over.give(first, upload)
            while piece:
                await hand_over.give(piece, upload)
                piece = await rest.next()
            await hand_over.give(b"", upload)
            await asyncio.shield(upload)
        except BaseException:
            await hand_over.abort(upload)
            raise
        finally:
            thread.shutdown(wait=False)

    def write_sync(
        self, key: str, content: Path | bytes | IO[bytes], *, content_type: str = DEFAULT_CONTENT_TYPE
    ) -> Stored:
        """Write a file's, a byte string's or a stream's content. If reading it raises, nothing is left behind."""
        _checked(key, _KEY_LENGTH)
        with _opened_content(content) as stream:
            pieces = StreamContent(stream)
            with _translated(key, pieces):
                short = pieces.short
                body = next(pieces, b"") if short else pieces
                self._put(key, body, self._options(content_type, multipart=not short))
        return pieces.stored()

    def _put(self, key: str, body: bytes | Iterator[bytes], options: PutOptions) -> None:
        _obstore().put(self._opened(), key, body, **options)

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Yield the bytes from `start` up to, not including, `end` (None: the file's end)."""
        _checked(key, _KEY_LENGTH)
        size, version = await self.stat(key)
        for options in _parts(start, end, size, version):
            with _translated(key):
                part = self._get(key, options)
                while chunk := await asyncio.to_thread(_next, part):
                    yield chunk

    def _get(self, key: str, options: GetOptions) -> Iterator[bytes]:
        for chunk in _obstore().get(self._opened(), key, options=options).stream(min_chunk_size=PIECE):
            yield bytes(chunk)

    def _stat(self, key: str) -> Stat:
        with _translated(key):
            meta = _obstore().head(self._opened(), key)
        return Stat(meta["size"], meta["e_tag"])

    def fetch(self, key: str, to: Path) -> Path:
        """Copy the file to a local path, which appears when it is whole. Returns `to`."""
        _checked(key, _KEY_LENGTH)
        partial = to.with_name(f".{to.name}.{uuid.uuid4().hex}")
        try:
            size, version = self._stat(key)
            with partial.open("wb") as file:
                for options in _parts(0, None, size, version):
                    with _translated(key):
                        for chunk in self._get(key, options):
                            file.write(chunk)
            return partial.replace(to)
        finally:
            partial.unlink(missing_ok=True)

    async def stat(self, key: str) -> Stat:
        """Return the file's size and version."""
        _checked(key, _KEY_LENGTH)
        return await asyncio.to_thread(self._stat, key)

    def delete(self, key: str) -> None:
        """Remove a file; one that is not there is no error."""
        _checked(key, _KEY_LENGTH)
        with contextlib.suppress(ArtifactNotFound), _translated(key):
            _obstore().delete(self._opened(), key)

    def delete_prefix(self, prefix: str) -> None:
        """Remove all files below a key, such as a job's or an attempt's, and what killed writers left there."""
        _checked(prefix, _KEY_LENGTH)
        with _translated(prefix):
            if self.folder is not None:
                with contextlib.suppress(FileNotFoundError):
                    shutil.rmtree(self.folder / prefix)
                return
            for batch in _obstore().list(self._opened(), prefix):
                _obstore().delete(self._opened(), [meta["path"] for meta in batch])

    def check(self) -> None:
        """Raise ArtifactStorageUnavailable unless a file can be written and removed. May be followed by a fork."""
        if self.folder is not None:
            self._probe_folder(self.folder)
            return
        # S3 is tried in a process of its own, so that this one may still be forked.
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as helper:
            helper.submit(_probe, self.url).result()

    async def check_async(self) -> None:
        """Do the same as `check` in this process, as often as a readiness probe asks."""
        if self.folder is not None:
            await asyncio.to_thread(self._probe_folder, self.folder)
        else:
            await asyncio.to_thread(_probe, self.url)

    def _probe_folder(self, folder: Path) -> None:
        probe = folder / f".probe-{uuid.uuid4().hex}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise ArtifactStorageUnavailable(
                f"The artifact folder {folder} cannot be written ({error.strerror}): create it and give this process's "
                f"user (uid {os.geteuid()}) the right to write there, or set HEAVYLIFT_ARTIFACTS_URL to another."
            ) from error

    def _opened(self) -> ObjectStore:
        if self._store is None:
            self._store = _open(self.url, self.folder)
        return self._store

    def _options(self, content_type: str, *, multipart: bool) -> PutOptions:
        options: PutOptions = {
            "use_multipart": multipart,
            "chunk_size": PART,
            "max_concurrency": PARTS_IN_FLIGHT,
        }
        if self.folder is None:  # a folder has no place for it
            options["attributes"] = {"Content-Type": content_type}
        return options


@contextlib.contextmanager
def _opened_content(content: Path | bytes | IO[bytes]) -> Generator[IO[bytes]]:
    if isinstance(content, Path):
        with content.open("rb", buffering=0) as file:
            yield file
    elif isinstance(content, bytes):
        yield io.BytesIO(content)
    else:
        yield content


def _next(chunks: Iterator[bytes]) -> bytes:
    return next(chunks, b"")


def _parts(start: int, end: int | None, size: int, version: str | None) -> Iterator[GetOptions]:
    """Yield requests for the bytes, each for at most PART of them and of this version of the object only."""
    stop = size if end is None else min(end, size)
    for at in range(start, stop, PART):
        options: GetOptions = {"range": (at, min(at + PART, stop))}
        if version is not None:
            options["if_match"] = version
        yield options


@contextlib.contextmanager
def _translated(key: str, content: Content | None = None) -> Generator[None]:
    """Turn obstore's errors into ours, but leave those of reading the content that is written."""
    from obstore.exceptions import BaseError, PreconditionError  # noqa: PLC0415 - see the module's docstring

    try:
        yield
    except PreconditionError as error:
        raise ArtifactStorageUnavailable(f"Artifact {key!r} was replaced while it was read; read it again.") from error
    except (BaseError, NotImplementedError, OSError) as error:
        if content and error is content.failure:
            raise
        if isinstance(error, FileNotFoundError) and content is None:
            raise ArtifactNotFound(f"There is no artifact {key!r} in storage.") from error
        raise ArtifactStorageUnavailable(_sentence(error)) from error


def _sentence(error: Exception) -> str:
    """Return the error's first line (the others are Rust's debug output) and the remedy."""
    return f"{str(error).partition(chr(10))[0]} ({ArtifactStorageUnavailable.__doc__})"


@cache
def _owner() -> int:
    """Return the process that first used obstore: a forked child inherits the answer."""
    return os.getpid()


def _obstore() -> ModuleType:
    """Return obstore, or raise where it would hang."""
    if _owner() != os.getpid():
        raise RuntimeError(
            "Artifact storage was used before this process was forked, and its threads are gone. Use it after the fork."
        )
    import obstore  # noqa: PLC0415 - see the module's docstring

    return obstore


def _open(url: str, folder: Path | None) -> ObjectStore:
    from obstore.store import LocalStore, from_url  # noqa: PLC0415 - see the module's docstring

    if folder is not None:
        try:
            return LocalStore(folder, mkdir=True)
        except Exception as error:  # obstore raises its own kinds and OSError's alike
            raise ArtifactStorageUnavailable(_sentence(error)) from error
    return from_url(
        url,
        client_options={
            "allow_http": _allows_http(),  # client options given here replace the one of the environment
            "connect_timeout": timedelta(seconds=3),
            "timeout": timedelta(seconds=60),  # of one part
        },
        retry_config={
            "max_retries": 4,
            "retry_timeout": timedelta(seconds=15),  # an API request waits for it
            "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2), "base": 2},
        },
    )


def _allows_http() -> bool:
    return os.environ.get("AWS_ALLOW_HTTP", "").lower() in {"1", "true", "yes", "on"}


def _check_endpoint() -> None:
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    if endpoint.startswith("http://") and not _allows_http():
        raise ConfigurationError(f"AWS_ENDPOINT_URL: {endpoint} is not encrypted; set AWS_ALLOW_HTTP=true to use it")


def _probe(url: str) -> None:
    """Write and remove a small object, in whatever process this is called."""
    storage = ArtifactStore.from_url(url)
    key = f".probe-{uuid.uuid4().hex}"
    storage.write_sync(key, b"")
    storage.delete(key)
