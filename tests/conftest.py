"""Fixtures for all tests."""

pytest_plugins = ["tests.fixtures_redis", "tests.fixtures_s3", "tests.fixtures_worker"]
