"""TLS with certificates made here. Every Redis can be spoken to: the TLS end is a proxy before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from heavylift.errors import ConfigurationError, StoreUnavailable
from heavylift.redis_check import check_redis
from heavylift.settings import Settings
from heavylift.store import AsyncStore, Store
from tests.fixtures_redis import RedisServer
from tests.integration.redis.certificates import Authority
from tests.integration.redis.proxy import Proxy
from tests.integration.redis.queue import run_one_job, submission

pytestmark = pytest.mark.integration


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def proxy(authority: Authority, redis_url: str, shared_redis: RedisServer) -> Iterator[Proxy]:
    with Proxy(shared_redis.port, tls=authority.server()) as proxy:
        yield proxy


def url(proxy: Proxy, options: str = "", host: str = "127.0.0.1") -> str:
    return f"rediss://{host}:{proxy.port}/0{options}"


async def work(settings: Settings) -> None:
    """Check the settings as a service does, and run a job over each kind of connection."""
    check_redis(settings)
    store, async_store = Store.from_settings(settings), AsyncStore.from_settings(settings)
    assert await run_one_job(store) == "succeeded"
    assert await run_one_job(async_store, number=2) == "succeeded"
    store.close()
    await async_store.aclose()


async def test_jobs_over_tls(proxy: Proxy, authority: Authority) -> None:
    await work(Settings(redis_url=url(proxy), redis_ca_file=authority.file))


async def test_the_authority_may_be_in_the_url(proxy: Proxy, authority: Authority) -> None:
    await work(Settings(redis_url=url(proxy, f"?ssl_ca_certs={authority.file}")))


async def test_the_check_of_the_certificate_can_be_given_up(proxy: Proxy) -> None:
    await work(Settings(redis_url=url(proxy, "?ssl_cert_reqs=none")))


async def test_the_check_of_the_name_can_be_given_up(proxy: Proxy, authority: Authority) -> None:
    settings = Settings(redis_url=url(proxy, host="localhost"), redis_ca_file=authority.file)
    with pytest.raises(ConfigurationError, match=r"(?i)hostname mismatch.*a name that is in the certificate"):
        check_redis(settings)

    await work(
        Settings(redis_url=url(proxy, "?ssl_check_hostname=false", host="localhost"), redis_ca_file=authority.file)
    )


async def test_a_strangers_certificate_is_refused(proxy: Proxy, tmp_path: Path) -> None:
    settings = Settings(redis_url=url(proxy), redis_ca_file=Authority(tmp_path, "stranger").file)
    store, async_store = Store.from_settings(settings), AsyncStore.from_settings(settings)

    with pytest.raises(ConfigurationError, match=r"certificate verify failed.*HEAVYLIFT_REDIS_CA_FILE"):
        check_redis(settings)
    with pytest.raises(StoreUnavailable, match="certificate verify failed"):  # it may be corrected while we run
        store.run(submission(store.keys))
    with pytest.raises(StoreUnavailable, match="certificate verify failed"):
        await async_store.run(submission(async_store.keys))

    store.close()
    await async_store.aclose()


async def test_a_redis_that_asks_for_our_certificate(
    authority: Authority, redis_url: str, shared_redis: RedisServer
) -> None:
    ours = authority.certify("client", host=None)
    with Proxy(shared_redis.port, tls=authority.server(asks_for_certificate=True)) as proxy:
        await work(Settings(redis_url=url(proxy), redis_ca_file=authority.file, redis_cert_file=ours))

        store = Store.from_settings(Settings(redis_url=url(proxy), redis_ca_file=authority.file))
        with pytest.raises(StoreUnavailable):
            store.run(submission(store.keys))
        store.close()


async def test_tls_and_plain_do_not_meet_in_silence(
    proxy: Proxy, authority: Authority, shared_redis: RedisServer
) -> None:
    plain_to_tls = Store.from_settings(Settings(redis_url=proxy.url))
    tls_to_plain = Store.from_settings(
        Settings(redis_url=f"rediss://127.0.0.1:{shared_redis.port}/0", redis_ca_file=authority.file)
    )

    for store in (plain_to_tls, tls_to_plain):
        with pytest.raises(StoreUnavailable):
            store.run(submission(store.keys))
        store.close()


@pytest.mark.parametrize("field", ["redis_ca_file", "redis_cert_file"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_files_that_cannot_be_used_are_named_at_the_start(field: str, content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "given.pem"
    if content is not None:
        file.write_text(content)

    with pytest.raises(ConfigurationError, match=rf"HEAVYLIFT_{field.upper()}.*{file}"):
        check_redis(Settings(redis_url="rediss://127.0.0.1:1", **{field: file}))  # ty: ignore[invalid-argument-type]
