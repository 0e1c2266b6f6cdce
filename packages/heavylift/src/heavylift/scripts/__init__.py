"""The Lua scripts: every change of a job's state is one of them.

Shared rules, so that the heads of the files need not repeat them:

- `KEYS[1]` is the queue's base (`hl:{queue}:`), `KEYS[2..]` its message lists in the order they are served. All other
  keys are derived from the base; they share its slot.
- Redis does not roll a script back: everything that can fail (a key of a foreign type, a missing record) is read
  before the first write. Claim, finish and release begin their writes with one that frees memory, so that they work
  when Redis is full.
- JSON is passed through as bytes, never decoded and encoded again: cjson turns [] into {} and loses big integers.
- Time is Redis's: `ms` from TIME.

`common.lua` is put before each script: the helpers that keep record, indexes, events and message together.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and the digest Redis knows it by."""

    name: str
    source: str
    sha: str


@cache
def script(name: str) -> Script:
    """Return the script in `<name>.lua`, after the shared helpers."""
    folder = files(__name__)
    source = (folder / "common.lua").read_text() + (folder / f"{name}.lua").read_text()
    return Script(name, source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())
