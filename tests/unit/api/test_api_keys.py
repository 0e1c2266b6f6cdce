"""How API keys are configured, and what may be listened on without them."""

from __future__ import annotations

import hashlib

import pytest

from heavylift.errors import ConfigurationError
from heavylift_api.auth import ApiKeys, check_exposure, is_loopback
from heavylift_api.idempotency import RequestKey


def entry(name: str, key: str) -> str:
    return f"{name}:{hashlib.sha256(key.encode()).hexdigest()}"


def test_keys_are_found_by_their_digest() -> None:
    keys = ApiKeys.parse(f"{entry('ann', 'a')}, {entry('bob', 'b')}\n# a comment\n{entry('cec', 'c')} # another")
    assert [keys.owner(key) for key in ("a", "b", "c", "d", "")] == ["ann", "bob", "cec", None, None]


@pytest.mark.parametrize("text", ["secret", "ann:secret", f"a b:{'0' * 64}", f":{'0' * 64}", f"ann:{'0' * 63}"])
def test_a_malformed_entry_is_not_repeated(text: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        ApiKeys.parse(f"{entry('ann', 'a')},{text}")
    assert "API key 2" in str(refusal.value)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8", "a.localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    assert is_loopback(host)
    check_exposure(host, ApiKeys({}))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", "localhost.example.org", ""])
def test_elsewhere_needs_one(host: str) -> None:
    with pytest.raises(ConfigurationError, match="HEAVYLIFT_API_KEYS"):
        check_exposure(host, ApiKeys({}))
    check_exposure(host, ApiKeys.parse(entry("ann", "a")))


@pytest.mark.parametrize(("header", "text"), [('"a b"', "a b"), ("a-b", "a-b"), (' "x" ', "x")])
def test_an_idempotency_key_is_quoted_or_bare(header: str, text: str) -> None:
    assert RequestKey.of("ann", header) == ("ann", text)
