"""Flower's settings, read from the environment with the prefix `HEAVYLIFT_`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from heavylift.errors import ConfigurationError
from heavylift.loopback import is_loopback
from heavylift.settings import Settings


class FlowerSettings(Settings):
    """Where Flower listens, and whom it lets in."""

    flower_host: str = "127.0.0.1"
    """Address to listen on. Any other than loopback needs users, or `HEAVYLIFT_FLOWER_OPEN`."""

    flower_port: int = Field(default=5555, ge=0, le=65535)
    """Port to listen on; 0 lets the system choose, the log says which."""

    flower_basic_auth_file: Path | None = None
    """A file with one `user:password` a line, as a mounted Secret has it. Read at the start."""

    flower_open: bool = False
    """Let everybody in who reaches it: they see job types, ids, workers and error messages, and can change nothing."""

    flower_url_prefix: str = ""
    """Path below which it is reached, such as `flower`, where an Ingress gives it no host of its own."""

    flower_max_tasks: int = Field(default=10_000, ge=1)
    """Attempts it remembers, the newest. Each takes a few kilobytes of memory."""

    @field_validator("flower_url_prefix")
    @classmethod
    def _without_slashes(cls, text: str) -> str:
        return text.strip("/")

    def users(self) -> list[str]:
        """Return `user:password` of everybody who may look; empty: everybody may.

        Raises
        ------
        ConfigurationError
            The file cannot be read or holds no user, or strangers could look without anybody having said so.

        """
        if self.flower_basic_auth_file is not None:
            return _read_users(self.flower_basic_auth_file)
        if self.flower_open or is_loopback(self.flower_host):
            return []
        raise ConfigurationError(
            f"Refusing to listen on {self.flower_host} without users: anybody who reaches it could look. Set "
            "HEAVYLIFT_FLOWER_BASIC_AUTH_FILE, or HEAVYLIFT_FLOWER_OPEN=true if that is meant."
        )


def _read_users(file: Path) -> list[str]:
    variable = "HEAVYLIFT_FLOWER_BASIC_AUTH_FILE"
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(f"{variable}: {file}: {reason}") from None
    users = [line for line in lines if line and not line.startswith("#")]
    if not users:
        raise ConfigurationError(f"{variable}: {file} holds no user; write one user:password a line.")
    for number, user in enumerate(users, start=1):
        name, _, password = user.partition(":")
        if not (name and password):  # not repeated: it may be a password
            raise ConfigurationError(f"{variable}: user {number} of {file} is not user:password.")
    return users
