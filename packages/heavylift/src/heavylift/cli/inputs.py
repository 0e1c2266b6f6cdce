"""What `heavylift submit TYPE INPUT` was given: JSON, a file that holds JSON, or a file to upload."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import orjson
import typer
from pydantic import JsonValue

_HINT = "INPUT"

_DURATION = re.compile(
    "".join(rf"(?:(?P<{name}>\d{{1,6}}){unit})?" for name, unit in (("days", "d"), ("hours", "h"), ("minutes", "m")))
    + r"(?:(?P<seconds>\d{1,9}(?:\.\d{1,3})?)s?)?"
)


def parse_input(text: str, job_type: str, *, takes_file: Callable[[], bool]) -> JsonValue | Path:
    """Return the input as JSON value, or as the path of the file to upload.

    Parameters
    ----------
    text
        JSON text; `@` and the path of a file that holds it (`@-` for stdin); or the path of a file to upload.
    job_type
        Whose input it is, for the sentence when it fits nothing.
    takes_file
        Asked whether the type takes a file, once a file of that name is found.

    Raises
    ------
    typer.BadParameter
        It is none of them.

    """
    if text.startswith("@"):
        return _loads(_read(text[1:]), source=text)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        path = Path(text).expanduser()
        if not path.is_file():
            raise typer.BadParameter(_neither(text, error), param_hint=_HINT) from error
    if not takes_file():
        raise typer.BadParameter(
            f"{job_type} takes no file. Give its input as JSON, or as @{text} if the file holds it.", param_hint=_HINT
        )
    return path


def parse_json_input(text: str) -> JsonValue:
    """Return the input as JSON value: JSON text, or `@` and the path of a file that holds it. Raises BadParameter."""
    return _loads(_read(text[1:]) if text.startswith("@") else text.encode(), source=text if text[:1] == "@" else "it")


def parse_fields(text: str | None) -> JsonValue:
    """Return the further input fields of an upload. Raises BadParameter unless they are a JSON object."""
    if text is None:
        return None
    fields = _loads(_read(text[1:]) if text.startswith("@") else text.encode(), source="--with")
    if not isinstance(fields, dict):
        raise typer.BadParameter("it must be a JSON object, such as '{\"renditions\": [480]}'.", param_hint="--with")
    return fields


def parse_duration(text: str) -> timedelta:
    """Return a duration such as `90s`, `2h` or `1h30m`; a bare number is seconds. Raises BadParameter."""
    parts = _DURATION.fullmatch(text.strip().lower())
    found = {unit: float(value) for unit, value in parts.groupdict().items() if value} if parts else {}
    if not found or not any(found.values()):
        raise typer.BadParameter(f"{text!r} is no duration; write it as 90s, 30m, 2h, 1h30m or 1d.")
    return timedelta(**found)


def _neither(text: str, error: orjson.JSONDecodeError) -> str:
    if text.lstrip()[:1] in {"{", "[", '"'}:
        return f"it is no valid JSON ({error})."
    return f"{text!r} is neither JSON nor a file here."


def _read(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read ({error.strerror}).", param_hint=_HINT) from error


def _loads(content: bytes, *, source: str) -> JsonValue:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise typer.BadParameter(f"{source} holds no valid JSON ({error}).", param_hint=_HINT) from error
