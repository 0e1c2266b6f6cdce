"""What can keep the development stack from starting."""

from __future__ import annotations

from heavylift.errors import HeavyliftError


class StackError(HeavyliftError):
    """The development stack cannot start; the message says why and what to do."""
