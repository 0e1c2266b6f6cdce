"""Job types for the worker's tests: each does one thing that jobs do, well or badly."""

# ruff: noqa: A002 - a job's second parameter is called input

from __future__ import annotations

import asyncio
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from heavylift import JobCancelled, JobContext, JobFailed, JobRetry, RetryPolicy, SoftTimeLimitExceeded, job

AT_ONCE = RetryPolicy(max_attempts=3, backoff=timedelta(milliseconds=50))
SLEEPER = "/bin/sleep"
SLEEP = "import time; time.sleep(60)"


class Nothing(BaseModel):
    pass


class Sum(BaseModel):
    a: int
    b: int = 0


class Number(BaseModel):
    value: int


class Folder(BaseModel):
    """Where a job leaves traces for its test."""

    folder: Path

    def note(self, name: str, text: object = "") -> None:
        with (self.folder / name).open("a") as file:
            file.write(f"{text}\n")

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()


def _wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("what the job waits for did not come")
        time.sleep(0.01)


# --- that go well ---


@job("sample.add", queue="sample")
def add(ctx: JobContext, input: Sum) -> Number:
    return Number(value=input.a + input.b)


@job("sample.add_async", queue="sample")
async def add_async(ctx: JobContext, input: Sum) -> Number:
    await asyncio.sleep(0.01)
    return Number(value=input.a + input.b)


@job("sample.note", queue="sample")
def note(ctx: JobContext, input: Folder) -> None:
    input.note("ran", f"{ctx.id} {ctx.attempt}")


@job("sample.talk", queue="sample")
def talk(ctx: JobContext, input: Folder) -> None:
    """Say all that a job can say, and wait to be let go on before the end."""
    ctx.progress(1, 4, "begun")
    ctx.log("hello", n=1)
    (ctx.workdir / "result.txt").write_text("from a path")
    ctx.artifact("result.txt", ctx.workdir / "result.txt", content_type="text/plain")
    ctx.artifact("sub/bytes.bin", b"from bytes")
    input.note("workdir", ctx.workdir)
    input.note("key", ctx.idempotency_key)
    _wait_for(lambda: input.has("go"))
    ctx.progress(4, 4, "done")


@job("sample.babble", queue="sample", retry=AT_ONCE)
def babble(ctx: JobContext, input: Nothing) -> None:
    """Say what can hardly be said."""
    told: list[Any] = [42, Path("film.mp4"), "\udcff", "x" * 20_000]
    ctx.progress(1, 2, told[1])
    for done, total in ((math.nan, 2), (2, math.inf), (-math.inf, None)):
        ctx.progress(done, total)
    for each in told:
        ctx.log(each, field=each)
    ctx.log("numbers", nan=math.nan, large=1 << 80, keys={"a": {1}})  # ty: ignore[invalid-argument-type]


class Size(BaseModel):
    size: int


class Text(BaseModel):
    text: str


@job("sample.write", queue="sample", retry=AT_ONCE)
def write(ctx: JobContext, input: Size) -> Text:
    return Text(text="x" * input.size)


@job("sample.burn", queue="sample")
def burn(ctx: JobContext, input: Nothing) -> None:
    """Use 0.2 s of CPU, and 80 MB."""
    block = bytearray(os.urandom(1024)) * (80 * 1024)
    end = time.process_time() + 0.2
    while time.process_time() < end:
        sum(block[:1000])


class Meeting(Folder):
    me: str
    other: str


@job("sample.meet", queue="sample")
def meet(ctx: JobContext, input: Meeting) -> Number:
    """End only when the other job runs at the same time."""
    input.note(input.me)
    _wait_for(lambda: input.has(input.other), 10)
    return Number(value=os.getpid())


@job("sample.hold", queue="sample", retry=AT_ONCE)
def hold(ctx: JobContext, input: Folder) -> None:
    """Run until the test lets it go, cooperating with a stop."""
    input.note("holding", f"{ctx.attempt} {os.getpid()}")
    while not input.has("go"):
        ctx.stop_if_cancelled()
        time.sleep(0.01)
    input.note("held", ctx.attempt)


@job("sample.hold_b", queue="sample_b", retry=AT_ONCE)
def hold_b(ctx: JobContext, input: Folder) -> None:
    """As above, of another queue."""
    hold(ctx, input)


# --- that fail ---


class Failure(BaseModel):
    how: str
    times: int = 99


def _raise(how: str) -> None:
    errors: dict[str, BaseException] = {
        "value_error": ValueError("seven is not enough"),
        "failed": JobFailed("The picture has no pixels."),
        "retry": JobRetry("The service is busy.", delay=timedelta(milliseconds=300)),
        "exit": SystemExit(3),
        "memory": MemoryError(),
        "cancelled": JobCancelled(),
    }
    if how in errors:
        raise errors[how]


@job("sample.fail", queue="sample", retry=AT_ONCE)
def fail(ctx: JobContext, input: Failure) -> Number:
    """Fail the first `times` attempts."""
    ctx.artifact("half.txt", b"half")
    if ctx.attempt <= input.times:
        _raise(input.how)
    return "no number" if input.how == "wrong_output" else Number(value=ctx.attempt)  # ty: ignore[invalid-explicit-return]


@job("sample.picky", queue="sample", retry=AT_ONCE, retry_on=(OSError,))
def picky(ctx: JobContext, input: Failure) -> None:
    """Be tried again for OSError only."""
    raise ValueError("not worth a second try") if input.how == "value_error" else OSError("try again")


class Death(Folder):
    signal: int = signal.SIGKILL
    deaths: int = 99


@job("sample.die", queue="sample", retry=RetryPolicy(max_attempts=3, backoff=timedelta(0)))
def die(ctx: JobContext, input: Death) -> Number:
    """Kill the own process in the first `deaths` attempts; then wait to be let go."""
    input.note("started", f"{ctx.attempt} {time.time()}")
    if ctx.attempt <= input.deaths:
        _wait_for(lambda: input.has("die"))
        if input.signal == 0:
            os._exit(3)
        os.kill(os.getpid(), input.signal)
        time.sleep(5)
    _wait_for(lambda: input.has("go"))
    return Number(value=ctx.attempt)


@job("sample.die_after", queue="sample", retry=AT_ONCE)
def die_after(ctx: JobContext, input: Folder) -> None:
    """Die after the attempt's end was written, and before the worker heard of it: while the workdir is cleaned up."""
    names = [ctx.workdir / f"{n:05}" for n in range(2000)]
    for name in names:
        name.touch()
    pid = os.getpid()

    def strike() -> None:
        _wait_for(lambda: not names[-1].exists() or not names[0].exists())
        input.note("struck")
        os.kill(pid, signal.SIGKILL)

    threading.Thread(target=strike, daemon=True).start()


@job("sample.garble", queue="sample", retry=AT_ONCE)
def garble(ctx: JobContext, input: Nothing) -> None:
    """Fail over a file name that is no UTF-8."""
    raise FileNotFoundError("film\udcff.mp4")


@job("sample.unwritable", queue="sample", retry=AT_ONCE)
def unwritable(ctx: JobContext, input: Nothing) -> None:
    """Publish a file under a content type that is no UTF-8."""
    ctx.artifact("film.mp4", b"film", content_type="video/\udcff")


# --- that must be stopped ---


@job("sample.stubborn", queue="sample", retry=AT_ONCE)
def stubborn(ctx: JobContext, input: Folder) -> None:
    """Sleep in C, hear nothing."""
    input.note("holding", f"{ctx.attempt} {os.getpid()}")
    time.sleep(50)


@job("sample.half", queue="sample", retry=AT_ONCE)
def half(ctx: JobContext, input: Folder) -> Number:
    """Return what it has when it should stop."""
    input.note("holding", f"{ctx.attempt} {os.getpid()}")
    _wait_for(lambda: ctx.cancelled)
    return Number(value=1)


@job("sample.half_async", queue="sample", retry=AT_ONCE)
async def half_async(ctx: JobContext, input: Folder) -> Number:
    """Return what it has when it should stop."""
    input.note("holding", f"{ctx.attempt} {os.getpid()}")
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(50)
    return Number(value=1)


@job("sample.whole", queue="sample", retry=AT_ONCE)
def whole(ctx: JobContext, input: Folder) -> Number:
    """Be asked to stop, not look, and come to the end."""
    input.note("holding", f"{ctx.attempt} {os.getpid()}")
    asked = []
    before = signal.getsignal(signal.SIGUSR2)
    assert callable(before)
    signal.signal(signal.SIGUSR2, lambda number, frame: asked.append(before(number, frame)))
    _wait_for(lambda: bool(asked))
    return Number(value=1)


@job("sample.deaf", queue="sample", retry=AT_ONCE)
def deaf(ctx: JobContext, input: Folder) -> None:
    """Have all signals that a process can block blocked."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    input.note("holding", f"{ctx.attempt} {os.getpid()}")
    time.sleep(50)


@job("sample.wait_async", queue="sample", retry=AT_ONCE)
async def wait_async(ctx: JobContext, input: Folder) -> None:
    input.note("holding", f"{ctx.attempt} {os.getpid()}")
    try:
        await asyncio.sleep(50)
    finally:
        input.note("cleaned")


class Limited(Folder):
    save: bool = False


@job("sample.soft", queue="sample", soft_time_limit=timedelta(seconds=0.3), retry=RetryPolicy(max_attempts=1))
def soft(ctx: JobContext, input: Limited) -> Number:
    try:
        time.sleep(50)
    except SoftTimeLimitExceeded:
        if not input.save:
            raise
    return Number(value=1)


@job("sample.soft_async", queue="sample", soft_time_limit=timedelta(seconds=0.3), retry=RetryPolicy(max_attempts=1))
async def soft_async(ctx: JobContext, input: Limited) -> Number:
    await asyncio.sleep(50)
    return Number(value=1)


@job(
    "sample.hard",
    queue="sample",
    time_limit=timedelta(seconds=0.5),
    retry=RetryPolicy(max_attempts=2, backoff=timedelta(0)),
)
def hard(ctx: JobContext, input: Folder) -> None:
    input.note("holding", f"{ctx.attempt} {os.getpid()}")
    time.sleep(50)


# --- that leave something behind ---


@job("sample.litter", queue="sample")
def litter(ctx: JobContext, input: Folder) -> Number:
    """Leave a process in a session of its own, a changed folder and changed signals behind."""
    left = subprocess.Popen([sys.executable, "-c", SLEEP], start_new_session=True)
    os.chdir(ctx.workdir)
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    signal.signal(signal.SIGUSR2, signal.SIG_DFL)
    return Number(value=left.pid)


@job("sample.breed", queue="sample")
def breed(ctx: JobContext, input: Nothing) -> None:
    """Leave threads behind that start processes for a while."""
    end = time.monotonic() + 15

    def start() -> None:
        with suppress(OSError):
            while time.monotonic() < end:
                subprocess.Popen([SLEEPER, "3"], start_new_session=True)

    for _ in range(4):
        threading.Thread(target=start, daemon=True).start()


class Facts(BaseModel):
    pid: int
    folder: str
    threads: int
    fds: int
    rss_kib: int


@job("sample.look", queue="sample")
def look(ctx: JobContext, input: Nothing) -> Facts:
    """Tell what state the process is in that runs jobs."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Facts(
        pid=os.getpid(),
        folder=str(Path.cwd()),
        threads=threading.active_count(),
        fds=len(list(Path("/proc/self/fd").iterdir())),
        rss_kib=pages * os.sysconf("SC_PAGE_SIZE") // 1024,
    )


@job("sample.family", queue="sample", retry=AT_ONCE)
def family(ctx: JobContext, input: Folder) -> None:
    """Start a process, and work until let go."""
    child = subprocess.Popen([sys.executable, "-c", SLEEP])
    input.note("holding", f"{ctx.attempt} {os.getpid()} {child.pid}")
    _wait_for(lambda: input.has("go"))


def square(value: int) -> int:
    return value * value


class Method(BaseModel):
    method: str = Field(pattern="fork|forkserver|spawn")


@job("sample.pool", queue="sample")
def pool(ctx: JobContext, input: Method) -> Number:
    context: Any = multiprocessing.get_context(input.method)
    with context.Pool(2) as workers:
        return Number(value=sum(workers.map(square, [1, 2, 3])))


@job("sample.echo", queue="sample")
def echo(ctx: JobContext, input: Folder) -> None:
    """Go on saying things until let go: what a frozen worker does when it thaws."""
    input.note("holding", f"{ctx.attempt} {os.getpid()}")
    n = 0
    while not input.has("go"):
        n += 1
        ctx.log(f"attempt {ctx.attempt} says {n}")
        ctx.artifact("said.txt", f"attempt {ctx.attempt}".encode())
        time.sleep(0.02)
