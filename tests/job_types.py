"""Job types for tests of the whole platform."""

# ruff: noqa: A002 - `input` is the parameter's name in the SDK

from __future__ import annotations

import subprocess
import time

from pydantic import BaseModel

from heavylift import JobContext, JobFailed, job


class Number(BaseModel):
    value: int


class Count(BaseModel):
    source: str
    letter: str = "a"


class Nothing(BaseModel):
    pass


@job("test.double", queue="test")
def double(ctx: JobContext, input: Number) -> Number:
    return Number(value=input.value * 2)


@job("test.refuse", queue="test")
def refuse(ctx: JobContext, input: Number) -> None:
    raise JobFailed(f"{input.value} is not a number I like.")


@job("test.count", queue="test", file_field="source")
def count(ctx: JobContext, input: Count) -> Number:
    text = ctx.input_file(input.source).read_text()
    ctx.artifact("upper.txt", text.upper().encode(), content_type="text/plain")
    return Number(value=text.count(input.letter))


@job("test.stay", queue="test")
def stay(ctx: JobContext, input: Nothing) -> None:
    """Run a program and wait until told to stop."""
    with subprocess.Popen(["sleep", "300"]) as program:
        try:
            while True:
                ctx.progress(0, 1, f"program {program.pid}")
                time.sleep(0.05)
        finally:
            program.kill()


class Seconds(BaseModel):
    seconds: float


@job("test.sleep", queue="test")
def sleep(ctx: JobContext, input: Seconds) -> None:
    time.sleep(input.seconds)
