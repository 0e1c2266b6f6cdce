"""The whole of Heavylift as processes of one machine, for development and tests. `heavylift dev` runs it."""

from heavylift.dev.errors import StackError
from heavylift.dev.options import StackOptions
from heavylift.dev.stack import DevStack

__all__ = ["DevStack", "StackError", "StackOptions"]
