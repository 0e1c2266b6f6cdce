"""Load for an HTTP server: keep-alive connections, each with one request on its way, from a process of its own.

It writes one ready-made request and reads no more of an answer than its status and length: about 10 µs a request. It
measures how busy its own process and the server's are, so that a reader sees which of the two was the limit.
`python -m bench.load OPTIONS` prints the JSON of a Load.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

import orjson
import uvloop

from bench.processes import TICKS
from bench.spread import percentile

END_OF_HEAD = b"\r\n\r\n"
LENGTH = b"content-length: "


@dataclass(frozen=True)
class Plan:
    """What to send, how long, and whose processor time to watch."""

    port: int
    path: str
    body: str
    server_pid: int
    connections: int = 32
    warm_up: float = 0.7
    seconds: float = 3.0


@dataclass
class Load:
    """What came of it."""

    answers: dict[str, int]
    """Status -> count, of everything that was sent."""
    per_second: float
    """Answers with a status of 2xx in the measured seconds."""
    p50: float
    p99: float
    server_busy: float
    """Share of one core."""
    load_busy: float


@dataclass
class Run:
    """The state all connections share."""

    request: bytes
    connections: int
    statuses: Counter[bytes] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    measuring: bool = False
    stopping: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Connection(asyncio.Protocol):
    """Sends a request, waits for its answer, sends the next."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.buffer = b""
        self.sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's has no such base
        self._send()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head = self.buffer.find(END_OF_HEAD)
        if head < 0:
            return
        at = self.buffer.lower().find(LENGTH, 0, head) + len(LENGTH)
        if len(self.buffer) < head + len(END_OF_HEAD) + int(self.buffer[at : self.buffer.find(b"\r", at)]):
            return
        run = self.run
        status = self.buffer[9:12]
        self.buffer = b""
        run.statuses[status] += 1
        if run.measuring and status[:1] == b"2":
            run.latencies.append(time.perf_counter() - self.sent_at)
        if run.stopping:
            self.transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self.run.connections -= 1
        if not self.run.stopping:
            self.run.statuses[b"lost"] += 1
        if not self.run.connections:
            self.run.ended.set()

    def _send(self) -> None:
        self.sent_at = time.perf_counter()
        self.transport.write(self.run.request)


async def put_under_load(plan: Plan) -> Load:
    """Send as planned and return what came of it."""
    run = Run(_request(plan), plan.connections)
    loop = asyncio.get_running_loop()
    for _ in range(plan.connections):
        await loop.create_connection(lambda: Connection(run), "127.0.0.1", plan.port)
    await asyncio.sleep(plan.warm_up)
    run.measuring = True
    began, server, own = time.perf_counter(), _cpu(plan.server_pid), time.process_time()
    await asyncio.sleep(plan.seconds)
    run.measuring = False
    seconds = time.perf_counter() - began
    server, own = _cpu(plan.server_pid) - server, time.process_time() - own
    run.stopping = True
    await asyncio.wait_for(run.ended.wait(), 30)
    latencies = run.latencies or [0.0]
    return Load(
        answers={status.decode(): count for status, count in run.statuses.items()},
        per_second=len(run.latencies) / seconds,
        p50=percentile(latencies, 0.5),
        p99=percentile(latencies, 0.99),
        server_busy=server / seconds,
        load_busy=own / seconds,
    )


def _request(plan: Plan) -> bytes:
    head = f"POST {plan.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
    return f"{head}{len(plan.body)}\r\n\r\n{plan.body}".encode()


def _cpu(pid: int) -> float:
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / TICKS


if __name__ == "__main__":
    load = uvloop.run(put_under_load(Plan(**orjson.loads(sys.argv[1]))))
    print(orjson.dumps(asdict(load)).decode())
