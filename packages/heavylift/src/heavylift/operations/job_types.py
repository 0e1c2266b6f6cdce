"""The job types that workers publish, and the queues they have."""

from __future__ import annotations

from collections.abc import Sequence

from heavylift.constants import Keys
from heavylift.model import JobTypeInfo
from heavylift.operations.replies import to_list, to_mapping, to_text
from heavylift.store import Call, Reply


def publish_types(keys: Keys, infos: Sequence[JobTypeInfo]) -> Call[None]:
    """Publish job types, replacing what was published under the same names.

    Attempts and retention also lie with each queue, where the claim script finds them for a stock producer's messages.
    """
    pairs = [part for info in infos for part in (info.type, info.model_dump_json())]
    queues = {info.queue for info in infos}
    if not infos:
        return Call([], lambda _: None)
    policies = [("HSET", keys.policies(info.queue), info.type, _policy(info)) for info in infos]
    return Call([("SADD", keys.queues, *queues), ("HSET", keys.types, *pairs), *policies], lambda _: None)


def _policy(info: JobTypeInfo) -> str:
    return f"{info.retry.max_attempts} {int(info.retention.total_seconds() * 1000)}"


def read_queues(keys: Keys) -> Call[frozenset[str]]:
    """Return the names of all queues that a published job type ever had."""
    return Call([("SMEMBERS", keys.queues)], lambda replies: frozenset(map(to_text, to_list(replies[0]))))


def read_type_names(keys: Keys) -> Call[frozenset[str]]:
    """Return the names of all published job types."""
    return Call([("HKEYS", keys.types)], lambda replies: frozenset(map(to_text, to_list(replies[0]))))


def read_types(keys: Keys) -> Call[dict[str, JobTypeInfo]]:
    """Return all published job types by name."""

    def parse(replies: list[Reply]) -> dict[str, JobTypeInfo]:
        return {name: JobTypeInfo.model_validate_json(text) for name, text in sorted(to_mapping(replies[0]).items())}

    return Call([("HGETALL", keys.types)], parse)
