"""The API's settings, read from the environment with the prefix `HEAVYLIFT_`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import ByteSize, Field, field_validator
from pydantic_settings import NoDecode

from heavylift.ids import QUEUE_NAME
from heavylift.settings import Duration, Settings
from heavylift_api.auth import ApiKeys


class QueueBound(NamedTuple):
    """How many jobs may wait in a queue; 0 for no bound."""

    queue: str
    bound: int

    @classmethod
    def parse(cls, text: str) -> QueueBound:
        """Read `queue=bound`. Raises ValueError."""
        queue, _, bound = text.strip().partition("=")
        if not QUEUE_NAME.match(queue) or not bound.isdecimal():
            raise ValueError(f"{text.strip()!r} is not queue=number, such as video=500")
        return cls(queue, int(bound))


class ApiSettings(Settings):
    """Where the API listens, who may use it, and how much it takes on at once."""

    host: str = "127.0.0.1"
    """Address to listen on. Any other than loopback needs API keys."""

    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen on; 0 lets the system choose, the log says which."""

    api_keys: str = ""
    """`name:<sha-256 hex of the key>`, separated by commas. `heavylift keys` makes them."""

    api_keys_file: Path | None = None
    """A file with one `name:<sha-256 hex>` a line, as a mounted Secret has it; `#` begins a comment."""

    max_body_size: ByteSize = ByteSize(1024**2)
    """Largest JSON body. An input above a megabyte belongs into an artifact: the record lives in Redis's memory."""

    body_timeout: Duration = timedelta(seconds=10)
    """How long a JSON body may take to arrive."""

    max_upload_size: ByteSize = ByteSize(8 * 1024**3)
    """Largest file of `POST /upload`, such as `8GiB`. It is streamed: this guards the storage, not the API's memory."""

    upload_idle_timeout: Duration = timedelta(seconds=30)
    """How long an upload may send nothing before it is dropped."""

    max_uploads: int = Field(default=32, ge=1)
    """Uploads at the same time; each may hold a few parts of 8 MiB on their way to S3."""

    max_event_streams: int = Field(default=1000, ge=1)
    """Event streams at the same time; each looks at its job at least every five seconds."""

    max_batch_size: ByteSize = ByteSize(32 * 1024**2)
    """Largest body of `POST /v1/jobs:batch`: 10,000 jobs of 3 KiB. It is held in memory while it is worked on."""

    queue_bound: int = Field(default=100_000, ge=0)
    """Waiting and scheduled jobs a queue may hold before submits get 503; 0 for no bound. Each costs Redis memory."""

    queue_bounds: Annotated[tuple[QueueBound, ...], NoDecode] = ()
    """Queues with a bound of their own: `video=500,images=0`."""

    redis_full_at: float = Field(default=0.9, gt=0, le=1)
    """Share of Redis's `maxmemory` beyond which submits get 503: the rest is for the jobs under way."""

    answer_timeout: Duration = timedelta(seconds=2.5)
    """How long Redis may take for one request, connecting included, before the client gets 503."""

    shutdown_grace: Duration = timedelta(seconds=20)
    """How long requests may go on after SIGTERM; below Kubernetes' 30 s, which the preStop wait also needs."""

    @field_validator("queue_bounds", mode="before")
    @classmethod
    def _read_bounds(cls, value: object) -> object:
        return tuple(map(QueueBound.parse, filter(None, value.split(",")))) if isinstance(value, str) else value

    def bound(self, queue: str) -> int:
        """Return how many jobs may wait in a queue; 0 for no bound."""
        return dict(self.queue_bounds).get(queue, self.queue_bound)

    @field_validator("api_keys")
    @classmethod
    def _check_api_keys(cls, text: str) -> str:
        ApiKeys.parse(text)
        return text

    def keys(self) -> ApiKeys:
        """Return the configured API keys. Raises ConfigurationError for a file that is missing or malformed."""
        return ApiKeys.parse(self.api_keys) | ApiKeys.read(self.api_keys_file)
