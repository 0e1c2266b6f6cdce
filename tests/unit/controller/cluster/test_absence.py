from __future__ import annotations

from heavylift_controller.cluster.absence import FORBIDDEN_SECONDS, REMOVED_SECONDS, Absence


def read_before() -> Absence:
    absence = Absence()
    absence.listed()
    return absence


def test_nothing_is_known_before_an_answer():
    absence = Absence()

    assert not absence.believed(503, 0.0)
    assert not absence.believed(0, 1000.0)
    assert not absence.known


def test_what_was_read_is_known():
    assert read_before().known


def test_a_kind_that_was_never_there_is_not_waited_for():
    absence = Absence()

    assert absence.believed(404, 0.0)
    assert absence.known


def test_what_may_not_be_read_is_waited_for_a_while():
    absence = Absence()

    assert not absence.believed(403, 100.0)
    assert not absence.believed(403, 99.9 + FORBIDDEN_SECONDS)
    assert not absence.known
    assert absence.believed(403, 100.0 + FORBIDDEN_SECONDS)
    assert absence.known


def test_a_while_begins_anew_with_another_answer():
    absence = Absence()
    absence.believed(403, 0.0)
    absence.believed(503, 10.0)

    assert not absence.believed(403, FORBIDDEN_SECONDS)


def test_what_a_server_forbids_that_forbids_everything_is_not_believed():
    allowed = [False]
    absence = Absence(lambda: allowed[0])
    absence.believed(403, 0.0)
    assert not absence.believed(403, 1000.0)
    allowed[0] = True

    assert not absence.believed(403, 1001.0)
    assert absence.believed(403, 1000.0 + FORBIDDEN_SECONDS)


def test_what_was_read_is_not_gone_because_it_may_not_be_read():
    absence = read_before()
    absence.believed(403, 0.0)

    assert not absence.believed(403, 1e6)


def test_what_was_read_is_gone_when_it_has_not_been_there_for_long():
    absence = read_before()

    assert not absence.believed(404, 100.0)
    assert not absence.believed(404, 99.9 + REMOVED_SECONDS)
    assert absence.believed(404, 100.0 + REMOVED_SECONDS)


def test_what_comes_back_is_not_gone_at_the_next_refusal():
    absence = read_before()
    absence.believed(404, 0.0)
    absence.listed()

    assert not absence.believed(404, REMOVED_SECONDS)


def test_what_is_gone_and_may_then_not_be_read_was_never_there():
    absence = read_before()
    absence.believed(404, 0.0)
    absence.believed(404, REMOVED_SECONDS)

    assert not absence.believed(403, 100.0)
    assert absence.believed(403, 100.0 + FORBIDDEN_SECONDS)
    assert absence.known
