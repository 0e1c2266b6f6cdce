"""What a request relies on in Celery's pool."""

from __future__ import annotations

import inspect
import struct

from celery.concurrency.asynpool import AsynPool

from heavylift_worker.request import _send_at_once


class Accepted:
    """A job as the pool is about to write it."""

    def __init__(self, body: bytes) -> None:
        self._payload = memoryview(struct.pack(">I", len(body))), memoryview(body), len(body)


def test_a_small_job_goes_over_the_pipe_in_one_piece() -> None:
    small = Accepted(b"job")

    _send_at_once(small)

    assert [bytes(part) for part in small._payload[:2]] == [b"\0\0\0\x03job", b""]
    assert small._payload[2] == 0


def test_what_a_pipe_may_take_in_parts_stays_two() -> None:
    large = Accepted(b"x" * 4093)

    _send_at_once(large)

    assert [len(part) for part in large._payload[:2]] == [4, 4093]


def test_the_pool_still_writes_the_length_and_then_the_job() -> None:
    source = inspect.getsource(AsynPool._create_write_handlers)

    assert "header, body, body_size = job._payload" in source
    assert "while Hw < 4:" in source
    assert "while Bw < body_size:" in source
