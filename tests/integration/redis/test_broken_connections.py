"""A connection that broke or timed out is never used again: its late reply would be taken for the next one's."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import uvloop

from heavylift.errors import StoreUnavailable
from heavylift.settings import Settings
from heavylift.store import AsyncStore, Call, Store
from tests.fixtures_redis import RedisServer
from tests.integration.redis.proxy import Proxy
from tests.integration.redis.queue import run_one_job, submission

pytestmark = pytest.mark.integration

LIMIT = timedelta(seconds=0.1)


@pytest.fixture
def proxy(redis_url: str, shared_redis: RedisServer) -> Iterator[Proxy]:
    with Proxy(shared_redis.port) as proxy:
        yield proxy


@pytest.fixture
def store(proxy: Proxy) -> Iterator[Store]:
    store = Store.from_settings(Settings(redis_url=proxy.url, redis_timeout=LIMIT))
    yield store
    store.close()


Scenario = Callable[[AsyncStore, Proxy], Coroutine[None, None, None]]


@pytest.fixture(params=[uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
def play(request: pytest.FixtureRequest, proxy: Proxy) -> Callable[[Scenario], None]:
    """Run a scenario on the API's event loop, and on the one of scripts and the command line."""

    async def with_store(scenario: Scenario) -> None:
        settings = Settings(redis_url=proxy.url, redis_timeout=LIMIT)
        store = AsyncStore.from_settings(settings, max_connections=10)
        await scenario(store, proxy)
        await store.aclose()

    def play(scenario: Scenario) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(with_store(scenario))

    return play


def echo(*texts: str) -> Call[list[str]]:
    """Return a Call whose reply is known: its own arguments."""
    return Call([("ECHO", text) for text in texts], lambda replies: [bytes(each).decode() for each in replies])  # ty: ignore[invalid-argument-type]


def test_a_late_reply_is_not_taken_for_the_next(store: Store, proxy: Proxy) -> None:
    assert store.run(echo("first")) == ["first"]
    for texts in (["late"], ["late", "too"]):
        proxy.reply_delay = 2 * LIMIT.total_seconds()
        with pytest.raises(StoreUnavailable, match="Timeout"):
            store.run(echo(*texts))
        proxy.reply_delay = 0.0

        for number in range(20):
            assert store.run(echo(f"{number}", "b")) == [f"{number}", "b"]


def test_a_late_reply_is_not_taken_for_the_next_async(play: Callable[[Scenario], None]) -> None:
    async def scenario(store: AsyncStore, proxy: Proxy) -> None:
        assert await store.run(echo("first")) == ["first"]
        for texts in (["late"], ["late", "too"]):
            proxy.reply_delay = 2 * LIMIT.total_seconds()
            with pytest.raises(StoreUnavailable, match="Timeout"):
                await store.run(echo(*texts))
            proxy.reply_delay = 0.0

            for number in range(20):
                assert await store.run(echo(f"{number}", "b")) == [f"{number}", "b"]

    play(scenario)


def test_threads_on_a_shaky_line_get_their_own_replies(store: Store, proxy: Proxy) -> None:
    ended = threading.Event()
    own, later = [0] * 8, [0] * 8

    def ask(name: int) -> None:
        while not ended.is_set():
            text = f"{name}-{own}-{later}"
            try:
                assert store.run(echo(text)) == [text]
                own[name] += 1
            except StoreUnavailable:
                later[name] += 1

    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(ask, name) for name in range(8)]
        try:
            shake(proxy, until=lambda: sum(own) > 100 and sum(later) > 10)
        finally:
            ended.set()
        for each in asked:
            each.result()


def test_requests_given_up_at_any_moment_cost_no_connection_and_mix_no_replies(
    play: Callable[[Scenario], None],
) -> None:
    """As the API does: a request ends at its own time limit, wherever it is just then."""

    async def scenario(store: AsyncStore, proxy: Proxy) -> None:
        chance = random.Random(7)
        counts = {"own": 0, "given up": 0, "later": 0}
        shaking = asyncio.create_task(
            asyncio.to_thread(shake, proxy, until=lambda: counts["own"] > 100 and counts["given up"] > 100)
        )

        async def ask(name: int) -> None:
            while not shaking.done():
                text = f"{name}-{counts}"
                try:
                    async with asyncio.timeout(chance.uniform(0.0, 0.02)):
                        assert await store.run(echo(text)) == [text]
                    counts["own"] += 1
                except TimeoutError:
                    counts["given up"] += 1
                except StoreUnavailable:
                    counts["later"] += 1
                await asyncio.sleep(0)

        async def answer(text: str) -> list[str]:
            until = time.monotonic() + 10
            while True:  # to get a connection may take a busy machine longer than the limit; to use one may not fail
                try:
                    return await store.run(echo(text))
                except StoreUnavailable as error:
                    if "No connection available" not in str(error) or time.monotonic() > until:
                        raise

        await asyncio.gather(*(ask(name) for name in range(30)))
        await shaking
        pool = store.redis.connection_pool
        assert not pool._in_use_connections, "connections were lost"
        assert await asyncio.gather(*map(answer, map(str, range(50)))) == [[str(number)] for number in range(50)]

    play(scenario)


def test_a_restart_between_two_calls_is_not_noticed(redis_server: RedisServer) -> None:
    store = Store.from_settings(Settings(redis_url=redis_server.url))
    assert store.run(echo("before")) == ["before"]
    redis_server.kill()
    redis_server.start()

    assert store.run(echo("after")) == ["after"]
    store.close()


def test_a_line_that_swallows_everything_costs_one_time_limit(play: Callable[[Scenario], None]) -> None:
    async def scenario(store: AsyncStore, proxy: Proxy) -> None:
        assert await run_one_job(store) == "succeeded"
        proxy.reply_delay = 60.0
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await store.run(submission(store.keys))
        assert time.monotonic() - began < 10 * LIMIT.total_seconds()

    play(scenario)


def shake(proxy: Proxy, *, until: Callable[[], bool]) -> None:
    """Let the line delay, break and work by turns, for two seconds and until enough has happened."""
    began = time.monotonic()
    chance = random.Random(11)
    while time.monotonic() < began + 2 or not until():
        assert time.monotonic() < began + 30, "not enough happened"
        proxy.reply_delay = chance.choice([0.0, 0.0, 0.005, 1.5 * LIMIT.total_seconds()])
        if chance.random() < 0.3:
            proxy.cut()
        time.sleep(0.05)
    proxy.reply_delay = 0.0
    proxy.cut()
