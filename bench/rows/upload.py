"""Memory of the API while a large upload streams in."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from bench.contenders import HEAVYLIFT
from bench.http_server import OWN_API, HttpServer
from bench.machine import cores
from bench.notes import Notes
from bench.options import Options
from bench.processes import BenchError
from bench.redis_server import RedisServer
from bench.results import Goal, Line, Result
from bench.spread import Spread
from heavylift.dev.ports import HOST

SIZE = 2 * 1024**3
BLOCK = os.urandom(1024**2)
"""Sent again and again: no file is needed to send from."""
SAMPLE_SECONDS = 0.05
MOST_ROUNDS = 3
"""A round writes 2 GiB; that memory is flat shows in one."""
MIB = 1024**2
PATIENCE_SECONDS = 120

HOW = f"""\
`POST /upload` of {SIZE / 1024**3:g} GiB over loopback, artifacts in a folder. Resident memory of the API process, every
{SAMPLE_SECONDS * 1000:.0f} ms, from before the first byte to the answer; before that, one small upload, so that what
is loaded only once is loaded. The stored artifact's size and SHA-256 must be those that were sent; it is deleted at
once."""


class Uploaded(NamedTuple):
    """One round."""

    memory: list[tuple[float, float]]
    """Seconds since the start, MiB."""
    seconds: float

    @property
    def growth(self) -> float:
        """The most, less what it was at the start, in MiB."""
        return max(used for _, used in self.memory) - self.memory[0][1]


def measure(options: Options) -> Result:
    """Return the row."""
    free = shutil.disk_usage(options.folder).free
    if free < 2 * SIZE:
        raise BenchError(f"{options.folder} has {free // MIB} MiB free, twice the file's {SIZE // MIB} are wanted")
    rounds = [_round(options.folder / f"upload-{number}") for number in range(min(options.rounds, MOST_ROUNDS))]
    growth = Spread.of([each.growth for each in rounds])
    start = Spread.of([each.memory[0][1] for each in rounds])
    speed = Spread.of([SIZE / MIB / each.seconds for each in rounds])
    return Result(
        row="upload",
        title="Memory of the API during an upload",
        how=HOW,
        columns=["", "RSS at the start, MiB", "most - start, MiB", "MiB / s"],
        lines=[["Heavylift, POST /upload", start.text(0), growth.text(1), speed.text(0)]],
        goals=[Goal.at_most("growth while 2 GiB stream in", 64, growth, unit="MiB", digits=1)],
        charts=[
            Line(
                "upload",
                f"Resident memory of the API while {SIZE / 1024**3:g} GiB stream in",
                "MiB",
                {f"round {number}": each.memory for number, each in enumerate(rounds, start=1)},
            )
        ],
        rounds={"growth": [each.growth for each in rounds], "seconds": [each.seconds for each in rounds]},
    )


def _round(folder: Path) -> Uploaded:
    with RedisServer(folder, cores=cores()[1]) as server:
        notes = Notes(folder / "notes")
        HEAVYLIFT.call(server, notes.path, "publish")
        with HttpServer(OWN_API, server, notes.path) as http:
            try:
                upload(http.port, 2 * MIB)
                sampler = Sampler(http.program.pid)
                sampler.start()
                began = time.monotonic()
                upload(http.port, SIZE)
                return Uploaded(sampler.finish(), time.monotonic() - began)
            finally:
                shutil.rmtree(notes.path.parent / "artifacts", ignore_errors=True)


def upload(port: int, size: int) -> None:
    """Send so many bytes as a file. Raises BenchError unless they arrived as they were sent."""
    digest = hashlib.sha256()
    head = f"POST /upload?type=bench.file&filename=big.bin HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n"
    head += f"Content-Type: application/octet-stream\r\nContent-Length: {size}\r\n\r\n"
    with socket.create_connection((HOST, port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(head.encode())
        for _ in range(size // len(BLOCK)):
            connection.sendall(BLOCK)
            digest.update(BLOCK)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    status, body = answer[9:12], answer.partition(b"\r\n\r\n")[2]
    if status != b"202":
        raise BenchError(f"POST /upload answered {answer[:500]!r}")
    _check(orjson.loads(body), size, digest.hexdigest())


def _check(job: dict[str, Any], size: int, sha256: str) -> None:
    artifact = job["artifacts"][0]
    if (artifact["size"], artifact["sha256"]) != (size, sha256):
        raise BenchError(f"{size} bytes with SHA-256 {sha256} were sent, stored was {artifact}")


class Sampler(threading.Thread):
    """Reads a process's resident memory again and again."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._statm = Path(f"/proc/{pid}/statm")
        self._ended = threading.Event()
        self._began = time.monotonic()
        self._samples = [self._sample()]

    def run(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self._samples.append(self._sample())

    def finish(self) -> list[tuple[float, float]]:
        """Stop, and return the samples."""
        self._ended.set()
        self.join()
        return self._samples

    def _sample(self) -> tuple[float, float]:
        pages = int(self._statm.read_text().split()[1])
        return round(time.monotonic() - self._began, 2), round(pages * os.sysconf("SC_PAGE_SIZE") / MIB, 2)
