"""What Prometheus sees of this process, and the ASGI middleware that counts requests.

Every series that can be known beforehand exists from the start with 0, so that `rate()` sees the first event.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics
from starlette.types import ASGIApp, Message, Receive, Scope, Send

disable_created_metrics()  # twice the series, of which no query of ours makes use

REQUESTS = Counter(
    "heavylift_http_requests_total",
    "Requests answered, by route template, method and status. 499: the client left before its answer.",
    ["route", "method", "status"],
)

LATENCY = Histogram(
    "heavylift_http_request_duration_seconds",
    "Time from a request's first byte to its answer's, by route template and method.",
    ["route", "method"],
    # A submit takes 1 ms when idle and must stay below 10 under load; an upload's answer comes after its last byte.
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600, 3600),
)

SUBMITS = Counter(
    "heavylift_submits_total",
    "Submits by job type ('' where it is unknown) and outcome: accepted, repeated, or the problem that refused it.",
    ["type", "outcome"],
)

UPLOADED = Counter("heavylift_upload_bytes_total", "Bytes of uploaded files that went to artifact storage.")

UPLOADS_OPEN = Gauge("heavylift_uploads_open", "Uploads under way.")

STREAMS_OPEN = Gauge("heavylift_event_streams_open", "Event streams being served.")

SUBMIT_OUTCOMES = ("accepted", "repeated", "invalid-input", "queue-full", "store-full", "store-unavailable")

UNMATCHED = "unmatched"
"""The route label of requests that fit no route: paths that strangers choose must not become series."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_INTERNAL_ERROR = 500


def create_submit_series(job_type: str) -> None:
    """Let the series of a job type exist with 0."""
    for outcome in SUBMIT_OUTCOMES:
        SUBMITS.labels(job_type, outcome)


def create_request_series(routes: Iterable[tuple[str, str, Iterable[int]]]) -> None:
    """Let the series of (route template, method, statuses) exist with 0."""
    for route, method, statuses in routes:
        LATENCY.labels(route, method)
        for status in statuses:
            REQUESTS.labels(route, method, str(status))


class RequestMetrics:
    """Counts requests and measures how long their answers take to begin."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._histograms: dict[tuple[str, str], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        status, answered = _INTERNAL_ERROR, 0.0

        async def observe(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], time.perf_counter()
            await send(message)

        try:
            await self._app(scope, receive, observe)
        finally:
            self._count(scope, status, (answered or time.perf_counter()) - start)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", UNMATCHED)
        method = scope["method"] if scope["method"] in METHODS else "other"
        counter = self._counters.get((route, method, status))
        if counter is None:  # labels() costs more than inc(): its children are kept
            counter = self._counters[route, method, status] = REQUESTS.labels(route, method, str(status))
        histogram = self._histograms.get((route, method))
        if histogram is None:
            histogram = self._histograms[route, method] = LATENCY.labels(route, method)
        counter.inc()
        histogram.observe(seconds)
