"""A `video.transcode` that only pretends."""

from __future__ import annotations

from pydantic import BaseModel

from heavylift import JobContext, job


class Film(BaseModel):
    source: str
    renditions: list[int]


class Done(BaseModel):
    done: bool = True


@job("video.transcode", queue="video", file_field="source")
def transcode(ctx: JobContext, input: Film) -> Done:  # noqa: A002 - the SDK's parameter name
    return Done()
