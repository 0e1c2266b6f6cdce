"""Server-sent events: nothing missing, nothing twice, whatever Redis does."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import timedelta

import httpx
import orjson
import pytest
from httpx_sse import EventSource, ServerSentEvent

from heavylift.client import AsyncClient
from heavylift.errors import StoreUnavailable
from heavylift.operations import Claim
from tests.fixtures_redis import RedisServer
from tests.integration.api.conftest import Api, Worker
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


class Stream:
    """Reads a stream in a thread, so that a test may wait for single events."""

    def __init__(self, response: httpx.Response) -> None:
        self._received: queue.Queue[ServerSentEvent | None] = queue.Queue()
        self._response = response
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        try:
            for event in EventSource(self._response).iter_sse():
                self._received.put(event)
        except httpx.HTTPError:
            pass
        self._received.put(None)

    def next(self) -> ServerSentEvent:
        event = self._received.get(timeout=10)
        assert event is not None, "the stream has ended"
        return event

    def rest(self, timeout: float = 10) -> list[ServerSentEvent]:
        """Return all events up to the stream's end."""
        return list(iter(lambda: self._received.get(timeout=timeout), None))

    def leave(self) -> None:
        network: socket.socket = self._response.extensions["network_stream"].get_extra_info("socket")
        with suppress(OSError):
            network.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)


@contextmanager
def following(api: httpx.Client, path: str, **headers: str) -> Generator[Stream]:
    with api.stream("GET", f"{path}/events", headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        stream = Stream(response)
        yield stream
        stream.leave()


def submitted(api: httpx.Client) -> str:
    return api.post("/v1/jobs", json={"type": "echo", "input": {"n": 1}}).headers["location"]


def names(events: list[ServerSentEvent]) -> list[tuple[str, str]]:
    return [(event.id, event.event) for event in events if event.event != "progress"]


def test_a_stream_tells_the_history_then_what_happens_until_the_end(api: httpx.Client, worker: Worker) -> None:
    with following(api, submitted(api)) as stream:
        assert stream.next().event == "queued"
        claim = worker.claim()
        running = stream.next()
        assert (running.event, orjson.loads(running.data)["worker"]) == ("running", "worker-1")
        worker.log(claim, "half way")
        assert orjson.loads(stream.next().data)["message"] == "half way"
        worker.progress(claim, 5, total=10)
        progress = stream.next()
        assert (progress.event, orjson.loads(progress.data)["fraction"]) == ("progress", 0.5)
        worker.finish(claim)
        assert names(stream.rest()) == [("4", "succeeded")]


def test_a_resumed_stream_goes_on_behind_the_last_event_id(api: httpx.Client, worker: Worker) -> None:
    path = submitted(api)
    worker.finish(worker.claim())
    with following(api, path, **{"Last-Event-ID": "1"}) as stream:
        assert names(stream.rest()) == [("2", "running"), ("3", "succeeded")]
    with api.stream("GET", f"{path}/events", params={"last_event_id": 3}) as response:
        assert response.read() == b""


def test_progress_is_throttled_and_its_last_state_comes_through(api: httpx.Client, worker: Worker) -> None:
    with following(api, submitted(api)) as stream:
        claim = worker.claim()
        for done in range(1, 101):
            worker.progress(claim, done, total=100)
        seen = []
        while not seen or seen[-1] < 100:
            event = stream.next()
            if event.event == "progress":
                seen.append(orjson.loads(event.data)["done"])
        assert len(seen) < 20
        assert seen == sorted(seen)
        worker.finish(claim)
        stream.rest()


async def test_the_client_reads_what_the_api_sends(api: httpx.Client, worker: Worker) -> None:
    path = submitted(api)
    claim = worker.claim()
    worker.progress(claim, 1, total=4)
    seen = []
    async with AsyncClient(str(api.base_url)) as client:
        async for event in client.events(path.rpartition("/")[2]):
            seen.append(event)
            if event.progress is not None:
                worker.finish(claim)
    assert [event.id for event in seen if event.id] == [1, 2, 3]
    assert [event.progress.fraction for event in seen if event.progress] == [0.25]


def test_logs_that_come_fast_arrive_once_each_and_in_order(api: httpx.Client, worker: Worker) -> None:
    with following(api, submitted(api)) as stream:
        claim = worker.claim()
        for number in range(300):
            worker.log(claim, str(number))
        worker.finish(claim)
        events = stream.rest()
    assert [int(event.id) for event in events] == list(range(1, 304))
    assert [orjson.loads(event.data)["message"] for event in events[2:-1]] == [str(number) for number in range(300)]


def test_silence_is_filled_with_comments(
    start_api: Callable[..., Api], worker: Worker, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heavylift_api.events.HEARTBEAT", 0.2)
    monkeypatch.setattr("heavylift_api.events.LOOK_INTERVAL", 0.1)
    api = start_api(redis_url).http
    with api.stream("GET", f"{submitted(api)}/events") as response:
        received = ""
        for text in response.iter_text():
            received += text
            if received.count(": still here\n\n") == 2:
                break


def test_streams_survive_a_restart_of_redis(
    start_api: Callable[..., Api], redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heavylift_api.events.LOOK_INTERVAL", 60)  # only the hints can tell
    api = start_api(redis_server.url).http
    worker = Worker(redis_server.url)
    with following(api, submitted(api)) as stream:
        assert stream.next().event == "queued"
        redis_server.stop()
        redis_server.start()
        claim = claim_when_up(worker)
        assert stream.next().event == "running"
        worker.finish(claim)
        assert names(stream.rest()) == [("3", "succeeded")]
    worker.store.close()


def claim_when_up(worker: Worker) -> Claim:
    claims: list[Claim] = []

    def try_to_claim() -> bool:
        try:
            claims.append(worker.claim())
        except StoreUnavailable:
            return False
        return True

    wait_until(try_to_claim, what="Redis's return")
    return claims[0]


def test_all_streams_share_one_connection_and_leave_no_subscription(
    start_api: Callable[..., Api], redis_server: RedisServer
) -> None:
    api = start_api(redis_server.url).http
    worker = Worker(redis_server.url)

    def subscriptions() -> list[int]:
        """Return the number of channels of every subscribed connection; one is the hub's own."""
        clients = worker.store.redis.client_list()
        assert isinstance(clients, list)
        return [int(client["sub"]) for client in clients if int(client["sub"])]

    paths = [submitted(api) for _ in range(2)]
    with following(api, paths[0]), following(api, paths[0]), following(api, paths[1]):
        wait_until(lambda: subscriptions() == [3], what="two subscribed jobs on one connection")
        assert "heavylift_event_streams_open 3.0" in api.get("/metrics").text
    wait_until(lambda: subscriptions() == [1], what="the end of the subscriptions")
    wait_until(lambda: "heavylift_event_streams_open 0.0" in api.get("/metrics").text, what="the end of the streams")
    worker.store.close()


def test_streams_have_a_bound(start_api: Callable[..., Api], worker: Worker, redis_url: str) -> None:
    api = start_api(redis_url, max_event_streams=1).http
    path = submitted(api)
    with following(api, path) as stream:
        stream.next()
        response = api.get(f"{path}/events")
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert response.json()["type"] == "urn:heavylift:problem:too-many-streams"


def test_a_shutdown_ends_the_streams_within_a_moment(
    start_api: Callable[..., Api], worker: Worker, redis_url: str
) -> None:
    api = start_api(redis_url, shutdown_grace=timedelta(seconds=20))
    with following(api.http, submitted(api.http)) as stream:
        assert stream.next().event == "queued"
        api.server.should_exit = True
        assert stream.rest(timeout=5) == []
    api.thread.join(5)
    assert not api.thread.is_alive()


@pytest.mark.parametrize("given", ["x", "-1", "1.5"])
def test_a_last_event_id_that_is_no_number_is_refused(api: httpx.Client, given: str) -> None:
    response = api.get(f"{submitted(api)}/events", headers={"Last-Event-ID": given})
    assert response.status_code == 422
    assert response.json()["errors"][0]["parameter"] == "Last-Event-ID"
