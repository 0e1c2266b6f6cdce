from __future__ import annotations

import threading
import time

from heavylift_controller.scaler.served import Served, Serving


def serving(number: int, *, active: bool = True, at: float = 0.0) -> Serving:
    return Serving(number, active, at)


def test_nothing_is_known_before_it_was_decided():
    assert Served().get("video") is None


def test_a_waiter_is_woken_by_a_change_and_not_by_the_same_again():
    served, heard = Served(), []
    served.put("video", serving(1))

    def listen() -> None:
        heard.append(served.await_change("video", serving(1), 10))

    thread = threading.Thread(target=listen)
    thread.start()
    served.put("video", serving(1, at=1.0))
    served.put("audio", serving(9))
    thread.join(0.1)
    assert thread.is_alive()
    served.put("video", serving(2))
    thread.join(10)
    assert heard == [serving(2)]


def test_a_wait_ends_in_time_with_what_is_served():
    served = Served()
    served.put("video", serving(3))
    began = time.monotonic()
    assert served.await_change("video", serving(3), 0.05) == serving(3)
    assert time.monotonic() - began < 5


def test_a_pool_that_is_gone_is_forgotten():
    served = Served()
    served.put("video", serving(3))
    served.put("audio", serving(1))
    served.keep({"audio": None})
    assert list(served.all()) == ["audio"]
