"""A producer process: `python -m tests.faults.producer ours|celery LOAD NUMBER OF FILE`.

It submits its part of the load in small batches, evenly over the load's time, and writes every accepted id to its
file: one line `id accepted-at due-in`, times monotonic. What was refused, or whose answer was lost, is submitted again
under the same id until it is accepted; so no answer stays unknown.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from tests.faults.load import Load

BATCH = 10
"""Most jobs of one submit: many batches, so that faults meet many of them."""

PAUSE = 0.1
"""Seconds between two tries."""


class Order(NamedTuple):
    """A job to be submitted."""

    id: str
    type: str
    input: dict[str, Any]
    delay: float


Submit = Callable[[list[Order]], int]
"""Submits orders; tells how many of them, from the first on, were accepted."""


def main() -> None:
    side, text, number, of, file = sys.argv[1:]
    load = Load.from_json(text)
    submit, new_id = ours() if side == "ours" else celery()
    rng = random.Random(f"{load.seed}-{number}")
    count = load.jobs // int(of)
    began = time.monotonic()
    with Path(file).open("a", buffering=1) as accepted:
        for done, batch in batches(load, rng, count, new_id):
            time.sleep(max(0.0, began + load.seconds * done / count - time.monotonic()))
            taken = 0
            while taken < len(batch):
                more = submit(batch[taken:])
                at = time.monotonic()
                accepted.write("".join(f"{each.id} {at:.6f} {each.delay}\n" for each in batch[taken : taken + more]))
                taken += more
                if taken < len(batch):
                    time.sleep(PAUSE)


def batches(load: Load, rng: random.Random, count: int, new_id: Callable[[], str]) -> Iterator[tuple[int, list[Order]]]:
    """Yield how many orders came before, and the next ones."""
    done = 0
    while done < count:
        size = min(rng.randint(1, BATCH), count - done)
        yield done, [order(load, rng, new_id) for _ in range(size)]
        done += size


def order(load: Load, rng: random.Random, new_id: Callable[[], str]) -> Order:
    kind = load.pick(rng)
    return Order(new_id(), kind.type, kind.input(rng), round(rng.uniform(*kind.delay), 3) if kind.delay else 0.0)


def ours() -> tuple[Submit, Callable[[], str]]:
    import orjson

    from heavylift.errors import StoreUnavailable
    from heavylift.ids import new_job_id, parse_job_id
    from heavylift.operations import Submission, submit
    from heavylift.settings import Settings
    from heavylift.store import Store
    from tests.faults.work import QUEUE, TYPES

    store = Store.from_settings(Settings())

    def send(batch: list[Order]) -> int:
        now = datetime.now(UTC)
        items = [
            Submission(
                parse_job_id(each.id),
                TYPES[each.type],
                orjson.dumps(each.input),
                run_at=now + timedelta(seconds=each.delay) if each.delay else None,
            )
            for each in batch
        ]
        try:
            store.run(submit(store.keys, QUEUE, items))
        except StoreUnavailable:
            return 0
        return len(batch)

    return send, lambda: str(new_job_id(QUEUE))


def celery() -> tuple[Submit, Callable[[], str]]:
    import uuid

    from kombu.exceptions import OperationalError

    from tests.faults.stock import app, tasks

    # Else a producer subscribes to every result, and after 20 s without Redis has to be restarted.
    app.backend.on_task_call = lambda *_: None
    producer = app.amqp.producer_pool.acquire(block=True)
    errors = (OperationalError, OSError, *producer.connection.connection_errors, *producer.connection.channel_errors)

    def send(batch: list[Order]) -> int:
        for number, each in enumerate(batch):
            try:
                tasks[each.type].apply_async((each.input,), task_id=each.id, producer=producer, retry=False)
            except errors:
                return number
        return len(batch)

    return send, lambda: str(uuid.uuid4())


if __name__ == "__main__":
    assert os.environ.get("HEAVYLIFT_REDIS_URL"), "started by the harness"
    main()
