from __future__ import annotations

import threading

from structlog.testing import capture_logs

from heavylift.errors import StoreUnavailable
from heavylift_controller.loop import Loop
from heavylift_controller.main import stalled, without_contact
from tests.waiting import wait_until


def run(turn, *, stalled_after: float = 5) -> tuple[Loop, threading.Event]:
    stop = threading.Event()
    loop = Loop("test", turn, stop=stop, pause=0.01, stalled_after=stalled_after)
    loop.start()
    return loop, stop


def test_a_turn_that_raises_is_followed_by_the_next_and_logged_once() -> None:
    turns = []

    def turn() -> float:
        turns.append(1)
        raise RuntimeError("boom") if len(turns) > 3 else StoreUnavailable("away")

    with capture_logs() as logs:
        loop, stop = run(turn)
        wait_until(lambda: len(turns) > 10, what="ten turns")
        stop.set()
        assert loop.join(2)
    assert [entry["event"] for entry in logs] == ["redis_lost", "turn_failed"]
    assert loop.stalled_for() is None


def test_a_turn_that_does_not_end_counts_as_stalled_and_is_left_behind() -> None:
    release = threading.Event()

    def turn() -> float:
        release.wait(10)
        return 0.01

    loop, stop = run(turn, stalled_after=0.1)
    wait_until(lambda: loop.stalled_for() is not None, what="the stall")
    assert str(stalled([loop])).startswith("test: no turn for ")
    stop.set()
    assert not loop.join(0.05)
    release.set()
    assert loop.join(2)


def test_a_loop_is_ready_once_redis_has_answered_it() -> None:
    failures = [StoreUnavailable("away"), None, StoreUnavailable("away again")]
    said = []

    def turn() -> float:
        said.append(without_contact([loop]))
        if failure := failures.pop(0):
            raise failure
        return 0.01

    stop = threading.Event()
    loop = Loop("test", turn, stop=stop, pause=0.01, stalled_after=5)
    loop.start()
    wait_until(lambda: not failures, what="three turns")
    stop.set()
    assert loop.join(2)
    assert said[:3] == ["waiting for Redis: test", "waiting for Redis: test", None]
    assert without_contact([loop]) is None
