"""Following a job on stderr: a live bar on a terminal, a line for each change without one."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from heavylift.client import Client, JobEvent, JobView, ProgressView

_STEP = 0.1
"""Without a terminal a line is written each time so much more of the job is done."""


class Display(Protocol):
    """Shows what happens to a job."""

    def take(self, event: JobEvent) -> None:
        """Show an event."""


def follow(client: Client, job_id: str, *, console: Console) -> JobView:
    """Show what happens to a job until it has ended, and return it."""
    with ExitStack() as stack:
        display: Display = stack.enter_context(LiveBar(console)) if console.is_terminal else Lines(console)
        for event in client.events(job_id):
            display.take(event)
    return client.get(job_id)


class LiveBar:
    """One bar that moves; what is worth keeping scrolls by above it."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("waiting", total=None)

    def __enter__(self) -> LiveBar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def take(self, event: JobEvent) -> None:
        """Move the bar, or write a line above it."""
        if event.progress is not None:
            progress = event.progress
            description = escape(progress.message or "running")
            self._progress.update(
                self._task, completed=progress.done, total=progress.total, description=description, refresh=True
            )
            return
        if event.event in {"queued", "running", "scheduled"}:
            self._progress.update(self._task, description=event.event, completed=0, total=None, refresh=True)
        if event.event not in {"queued", "scheduled"} or (event.attempt or 0) > 1:
            self._progress.console.print(f"  {escape(describe(event))}")


class Lines:
    """A line for each event, and for progress one at each step or new message."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: tuple[str | None, int] | None = None

    def take(self, event: JobEvent) -> None:
        """Write a line if there is something new."""
        if event.progress is None:
            self._shown = None
            self._write(describe(event))
            return
        fraction = event.progress.fraction or 0.0
        seen = (event.progress.message, int(fraction / _STEP))
        if seen != self._shown:
            self._shown = seen
            self._write(_measure(event.progress))

    def _write(self, text: str) -> None:
        self._console.print(f"  {text}", markup=False)


def describe(event: JobEvent) -> str:
    """Return an event in words."""
    words = [event.message or event.event if event.event == "log" else event.event]
    if event.worker:
        words.append(f"on {event.worker}")
    if event.attempt and event.attempt > 1:
        words.append(f"attempt {event.attempt}")
    text = ", ".join(words)
    why = "" if event.event == "log" else event.message or event.reason
    return f"{text}: {why}" if why else text


def _measure(progress: ProgressView) -> str:
    if progress.fraction is None:
        return progress.message or f"{progress.done:g} done"
    return f"{progress.fraction:4.0%}  {progress.message or ''}".rstrip()
