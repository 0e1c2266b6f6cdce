"""`heavylift keys`: makes an API key."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from typing import Annotated

import typer

from heavylift.cli.options import Json
from heavylift.cli.output import stderr, stdout, write_json

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def make_key(
    name: Annotated[str, typer.Argument(help="Whose key it is: letters, digits and `. _ -`.")] = "default",
    *,
    json: Json = False,
) -> None:
    """Make an API key. It is shown once; the API is given its SHA-256 only."""
    if not _NAME.fullmatch(name):
        raise typer.BadParameter("up to 64 letters, digits and `. _ -` are allowed.", param_hint="NAME")
    key, entry = new_key(name)
    if json:
        write_json({"name": name, "key": key, "entry": entry})
        return
    stdout().print(f"key    {key}\nentry  {entry}", markup=False, soft_wrap=True)
    stderr().print(
        "The key is for the caller (HEAVYLIFT_API_KEY) and is not shown again. "
        "The entry is for the API (HEAVYLIFT_API_KEYS, or a line of HEAVYLIFT_API_KEYS_FILE).",
        soft_wrap=True,
    )


def new_key(name: str) -> tuple[str, str]:
    """Return a fresh key and the entry the API knows it by."""
    key = f"hl_{secrets.token_urlsafe(32)}"
    return key, f"{name}:{hashlib.sha256(key.encode()).hexdigest()}"


def setting_with_keys() -> str | None:
    """Return the environment variable here that gives keys to a stack's API; None: it asks for no key."""
    return next((name for name in ("HEAVYLIFT_API_KEYS", "HEAVYLIFT_API_KEYS_FILE") if os.environ.get(name)), None)
