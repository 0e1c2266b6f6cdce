"""What is said of Redis in the environment: read right, or refused with a sentence and without the password."""

from __future__ import annotations

from pathlib import Path

import pytest

from heavylift.connections import async_connection_pool, connection_pool
from heavylift.errors import ConfigurationError
from heavylift.redis_address import RedisAddress, Scheme
from heavylift.settings import Settings, load


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://h", RedisAddress(Scheme.TCP, "h")),
        ("redis://h:1/2", RedisAddress(Scheme.TCP, "h", 1, database=2)),
        ("redis://h?db=3", RedisAddress(Scheme.TCP, "h", database=3)),
        ("redis://[::1]:5", RedisAddress(Scheme.TCP, "::1", 5)),
        ("redis://me@h", RedisAddress(Scheme.TCP, "h", user="me")),
        ("redis://:p%40%2Fs@h", RedisAddress(Scheme.TCP, "h", password="p@/s")),
        ("rediss://h?ssl_cert_reqs=none", RedisAddress(Scheme.TLS, "h", tls={"ssl_cert_reqs": "none"})),
        ("unix:///run/redis.sock?db=4", RedisAddress(Scheme.SOCKET, path="/run/redis.sock", database=4)),
        ("unix://me:pw@/run/r", RedisAddress(Scheme.SOCKET, path="/run/r", user="me", password="pw")),
    ],
)
def test_a_url_is_read(url: str, address: RedisAddress) -> None:
    assert load(Settings, redis_url=url).redis_address == address


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"redis_url": "redis://:s3cr#et@h"}, "percent-encode"),
        ({"redis_url": "redis://u:s3cr?et@h:99999"}, "port from 1 to 65535"),
        ({"redis_url": "redis://:s3cr/et@h:1/2"}, "percent-encode"),
        ({"redis_url": "http://u:s3cret@h"}, "redis://"),
        ({"redis_url": "s3cret@h"}, "redis://"),
        ({"redis_url": "redis://u:s3cret@h/zero"}, "whole number"),
        ({"redis_url": "redis://u:s3cret@h:0"}, "port 0"),
        ({"redis_url": "redis://u:s3cret@h?socket_timeout=1"}, "HEAVYLIFT_REDIS_TIMEOUT"),
        ({"redis_url": "redis://u:s3cret@h?ssl_cert_reqs=none"}, "rediss://"),
        ({"redis_url": "rediss://u:s3cret@h?ssl_cert_reqs=perhaps"}, "'required' or 'none'"),
        ({"redis_url": "unix://folder/socket"}, "three slashes"),
        ({"redis_url": "unix:///socket?password=s3cr@et&db=x"}, "whole number"),
        ({"redis_sentinels": "h:1:2"}, "host:port"),
        ({"redis_sentinels": "s3cret@h:1"}, "host:port"),
    ],
)
def test_what_cannot_be_read_is_refused_without_the_password(given: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(Settings, **given)

    [name] = given
    assert str(caught.value).startswith(f"HEAVYLIFT_{name.upper()}: ")
    assert words in str(caught.value)
    assert "s3cr" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"redis_url": "redis://h", "redis_ca_file": "/ca"}, "HEAVYLIFT_REDIS_CA_FILE: for TLS"),
        ({"redis_url": "unix:///s", "redis_sentinels": "h:1"}, "HEAVYLIFT_REDIS_SENTINELS: "),
    ],
)
def test_settings_that_exclude_each_other_are_refused(given: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        load(Settings, **given)


def test_sentinels_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAVYLIFT_REDIS_SENTINELS", "a:1, b,[::1]:3")

    assert load(Settings).redis_sentinels == (("a", 1), ("b", 26379), ("::1", 3))


@pytest.mark.parametrize("more", [{}, {"redis_sentinels": "a:1"}])
async def test_no_repr_holds_the_password(more: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("fr0m-file")
    for given in ({"redis_url": "redis://u:s3cret@h"}, {"redis_password_file": file}):
        settings = load(Settings, **given, **more)
        pool, async_pool = connection_pool(settings), async_connection_pool(settings, max_connections=1)
        shown = " ".join(map(repr, (settings, settings.redis_address, pool, async_pool, pool.make_connection())))
        assert "s3cret" not in shown
        assert "fr0m-file" not in shown


def test_a_password_file_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigurationError, match="HEAVYLIFT_REDIS_PASSWORD_FILE: /nowhere: No such file"):
        connection_pool(load(Settings, redis_password_file="/nowhere"))


@pytest.mark.parametrize("sentinels", ["", "127.0.0.1:26379"])
def test_async_connections_pack_commands_with_hiredis_too(sentinels: str) -> None:
    settings = load(Settings, redis_sentinels=sentinels)
    large = b"x" * 10_000  # which redis-py's own packing puts apart
    for pool in (connection_pool(settings), async_connection_pool(settings, max_connections=1)):
        assert pool.make_connection().pack_command("SET", "ä", large) == [
            b"*3\r\n$3\r\nSET\r\n$2\r\n\xc3\xa4\r\n$10000\r\n" + large + b"\r\n"
        ]
