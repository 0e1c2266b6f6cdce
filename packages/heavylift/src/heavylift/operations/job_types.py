"""The job types that workers publish."""

from __future__ import annotations

from collections.abc import Sequence

from heavylift.constants import Keys
from heavylift.model import JobTypeInfo
from heavylift.operations.replies import to_mapping
from heavylift.store import Call, Reply


def publish_types(keys: Keys, infos: Sequence[JobTypeInfo]) -> Call[None]:
    """Publish job types, replacing what was published under the same names."""
    pairs = [part for info in infos for part in (info.type, info.model_dump_json())]
    return Call([("HSET", keys.types, *pairs)], lambda _: None)


def read_types(keys: Keys) -> Call[dict[str, JobTypeInfo]]:
    """Return all published job types by name."""

    def parse(replies: list[Reply]) -> dict[str, JobTypeInfo]:
        return {name: JobTypeInfo.model_validate_json(text) for name, text in sorted(to_mapping(replies[0]).items())}

    return Call([("HGETALL", keys.types)], parse)
