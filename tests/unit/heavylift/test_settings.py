from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ByteSize

from heavylift.errors import ConfigurationError, StoreUnavailable
from heavylift.operations import read_types
from heavylift.settings import Settings, load
from heavylift.store import Store
from tests.fixtures_redis import RedisServer


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAVYLIFT_REDIS_URL", "redis://elsewhere:1/2")
    monkeypatch.setenv("HEAVYLIFT_KEY_PREFIX", "team.")
    monkeypatch.setenv("HEAVYLIFT_REDIS_TIMEOUT", "5")
    monkeypatch.setenv("HEAVYLIFT_ARTIFACTS_URL", "s3://bucket/prefix")

    settings = load(Settings)

    assert (settings.redis_url, settings.key_prefix) == ("redis://elsewhere:1/2", "team.")
    assert (settings.redis_timeout, settings.artifacts_url) == (timedelta(seconds=5), "s3://bucket/prefix")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", timedelta(seconds=90)),
        ("1.5s", timedelta(seconds=1.5)),
        ("15m", timedelta(minutes=15)),
        ("24h", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
        ("PT1M", timedelta(minutes=1)),
    ],
)
def test_durations_are_read_as_people_write_them(
    monkeypatch: pytest.MonkeyPatch, text: str, expected: timedelta
) -> None:
    monkeypatch.setenv("HEAVYLIFT_REDIS_TIMEOUT", text)

    assert load(Settings).redis_timeout == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HEAVYLIFT_KEY_PREFIX", "a b"),
        ("HEAVYLIFT_KEY_PREFIX", "{x}"),
        ("HEAVYLIFT_REDIS_TIMEOUT", "soon"),
        ("HEAVYLIFT_REDIS_TIMEOUT", "9" * 12 + "d"),
        ("HEAVYLIFT_LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=name):
        load(Settings)


class Sized(Settings):
    size: ByteSize = ByteSize(1)


@pytest.mark.parametrize("value", ["soon", "-5", "5M", "90 seconds", ""])
def test_a_bad_length_of_time_is_answered_with_examples(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    for example in examples_for(monkeypatch, "redis_timeout", value, "a length of time"):
        assert load(Sized, redis_timeout=example).redis_timeout >= timedelta(seconds=90)


@pytest.mark.parametrize("value", ["lots", "-5", "8Gi", "1e3", ""])
def test_a_bad_number_of_bytes_is_answered_with_examples(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    for example in examples_for(monkeypatch, "size", value, "a number of bytes"):
        assert load(Sized, size=example).size >= 1024**2


def examples_for(monkeypatch: pytest.MonkeyPatch, setting: str, value: str, kind: str) -> list[str]:
    """Return the examples that a bad value is answered with."""
    name = f"HEAVYLIFT_{setting.upper()}"
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as raised:
        load(Sized)
    told, _, examples = str(raised.value).partition(", such as ")
    assert told == f"{name}: Input should be {kind}"
    found = re.findall(r"\w*\d\w*", examples)
    assert found
    return found


def test_every_bad_value_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAVYLIFT_KEY_PREFIX", "a b")
    monkeypatch.setenv("HEAVYLIFT_LOG_FORMAT", "xml")

    with pytest.raises(ConfigurationError, match=r"KEY_PREFIX.*LOG_FORMAT"):
        load(Settings)


def test_a_bad_value_is_not_repeated_since_it_may_be_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAVYLIFT_KEY_PREFIX", "hunter 2")

    with pytest.raises(ConfigurationError) as raised:
        load(Settings)

    assert "hunter" not in str(raised.value)


def test_the_password_comes_from_a_file_and_opens_redis(redis_server: RedisServer, tmp_path: Path) -> None:
    with redis_server.client() as client:
        client.config_set("requirepass", "s3cret")
    (tmp_path / "password").write_text("s3cret\n")

    store = Store.from_settings(Settings(redis_url=redis_server.url, redis_password_file=tmp_path / "password"))

    assert store.run(read_types(store.keys)) == {}
    store.close()
    locked_out = Store.from_settings(Settings(redis_url=redis_server.url))
    with pytest.raises(StoreUnavailable):
        locked_out.run(read_types(locked_out.keys))
    locked_out.close()


def test_a_password_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    settings = Settings(redis_password_file=tmp_path / "absent")

    with pytest.raises(ConfigurationError, match="HEAVYLIFT_REDIS_PASSWORD_FILE"):
        Store.from_settings(settings)
