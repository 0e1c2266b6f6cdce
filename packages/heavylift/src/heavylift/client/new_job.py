"""A job that is to be sent in with others."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import BaseModel, JsonValue

from heavylift.model import Priority


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job of a batch; the fields are the parameters of `Client.submit`."""

    type: str
    input: BaseModel | JsonValue = field(default_factory=dict)
    priority: Priority | None = None
    run_at: datetime | None = None
    delay: timedelta | None = None
    expires_at: datetime | None = None
