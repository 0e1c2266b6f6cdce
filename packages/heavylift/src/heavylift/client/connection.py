"""What both clients tell httpx."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import TypedDict

import httpx

_STORING = 120.0
"""The answer to an upload comes after the API has stored the last byte, so reads may take longer than usual."""


def timeouts(*, read: float = _STORING) -> httpx.Timeout:
    """Return how long each step of a request may take; `read` is the longest silence, in seconds."""
    return httpx.Timeout(30.0, connect=5.0, read=read)


class HttpOptions(TypedDict):
    """Arguments of httpx.Client and httpx.AsyncClient."""

    base_url: str
    headers: dict[str, str]
    timeout: httpx.Timeout
    trust_env: bool


def http_options(url: str, api_key: str | None) -> HttpOptions:
    """Return how to reach the API at `url`. A key on plain HTTP is the caller's choice: clusters end TLS before it."""
    headers = {"User-Agent": f"heavylift/{version('heavylift')}"}
    key = api_key or os.environ.get("HEAVYLIFT_API_KEY")
    if key:
        headers["Authorization"] = f"Bearer {key}"
    return {"base_url": url, "headers": headers, "timeout": timeouts(), "trust_env": not is_loopback(url)}


def is_loopback(url: str) -> bool:
    """Tell whether the URL names this machine, which no proxy of the environment must be asked for."""
    return httpx.URL(url).host in {"localhost", "127.0.0.1", "::1"}
