"""Which Redis the scripts can run on."""

from __future__ import annotations

import pytest

from heavylift.errors import ConfigurationError
from heavylift.redis_check import check_server


@pytest.mark.parametrize("version", ["6.2.0", "7.0.15", "10.1"])
def test_a_redis_that_is_new_enough_is_taken(version: str) -> None:
    check_server({"redis_version": version})


@pytest.mark.parametrize("version", ["6.0.16", "5.0.14", "", "x"])
def test_a_redis_that_is_too_old_is_not(version: str) -> None:
    with pytest.raises(ConfigurationError, match=r"6\.2 or newer"):
        check_server({"redis_version": version})
