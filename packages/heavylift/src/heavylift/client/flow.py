"""Requests and their repetition, without input or output.

A flow is a generator: it yields the next step (a request to send, a pause to make) and is sent the response, or has
the transport's error thrown into it. `Client` and `AsyncClient` only carry the steps out, so that when to repeat, how
long to wait and what an answer means is written once.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import httpx

from heavylift.client.errors import ApiError, ApiUnreachable, error_from

T = TypeVar("T")

NOT_ACCEPTED = frozenset({httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE})
"""With these the API says that it did nothing: any request may be repeated."""

UNSURE = frozenset({httpx.codes.INTERNAL_SERVER_ERROR, httpx.codes.BAD_GATEWAY, httpx.codes.GATEWAY_TIMEOUT})
"""After these only a repeatable request may be sent again."""

LONGEST_PAUSE = 60.0
"""A Retry-After beyond this is the caller's to wait: a client that sleeps longer looks hung."""

_FIRST_DELAY = 0.2
_LONGEST_DELAY = 5.0


@dataclass(frozen=True, slots=True)
class Send:
    """A request to send."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    file: Path | None = None
    """A file to stream as the body."""
    on_sent: Callable[[int], None] | None = None
    """Called with the number of the file's bytes sent so far."""
    repeatable: bool = True
    """Whether sending it twice does no more than sending it once."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A wait before the next step."""

    seconds: float


Step: TypeAlias = Send | Pause
Flow: TypeAlias = Generator[Step, httpx.Response | None, T]


def backoff(retries: int) -> Iterator[float]:
    """Yield the delays before each further try: exponential, with jitter against herds."""
    for attempt in range(retries):
        delay = min(_FIRST_DELAY * 2**attempt, _LONGEST_DELAY)
        yield delay * random.uniform(0.5, 1)  # noqa: S311


def exchange(request: Send, *, base_url: str, retries: int) -> Flow[httpx.Response]:
    """Send a request until it is answered, as often as that is safe.

    Raises
    ------
    ApiUnreachable
        No answer came.
    ApiError
        The answer is a problem, also after the waits it asked for.

    """
    delays = backoff(retries)
    while True:
        try:
            response = yield request
        except httpx.TransportError as error:
            problem: ApiError | ApiUnreachable = ApiUnreachable(base_url, describe(error))
            again = request.repeatable or isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            asked = 0.0
        else:
            assert response is not None
            if response.is_success:
                return response
            problem = problem_in(response)
            again = _may_repeat(request, response)
            asked = problem.retry_after or 0.0
        delay = next(delays, None)
        if not again or delay is None or asked > LONGEST_PAUSE:
            raise problem
        yield Pause(max(delay, asked))


def problem_in(response: httpx.Response) -> ApiError:
    """Return the exception for a response that is not a success; its body must have been read."""
    return error_from(response.status_code, response.content, retry_after=retry_after(response.headers))


def describe(error: httpx.TransportError) -> str:
    """Return the transport's error in words; httpx leaves some of them empty."""
    return str(error) or type(error).__name__


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a Retry-After header asks for (RFC 9110 §10.2.3: seconds or a date)."""
    value = headers.get("Retry-After")
    if value is None:
        return None
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _may_repeat(request: Send, response: httpx.Response) -> bool:
    # A conflict that ends by itself: the first try of this very upload is still under way.
    passing = response.status_code == httpx.codes.CONFLICT and "Retry-After" in response.headers
    return passing or response.status_code in NOT_ACCEPTED or (request.repeatable and response.status_code in UNSURE)
