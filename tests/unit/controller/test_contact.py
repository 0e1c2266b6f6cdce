from __future__ import annotations

import pytest

from heavylift_controller.contact import Contact


@pytest.mark.parametrize(
    ("at", "connection", "broken", "since"),
    [
        pytest.param(3, 1, None, 0, id="the largest gap that is none"),
        pytest.param(3.1, 1, "gap between answers", 3.1, id="gap"),
        pytest.param(1, 2, "new connection", 1, id="new connection"),
    ],
)
def test_a_break_is_named_and_contact_begins_anew(at: float, connection: int, broken: str | None, since: float) -> None:
    contact = Contact(largest_gap=3)
    assert contact.answered(0, connection=1) is None
    assert contact.answered(at, connection=connection) == broken
    assert contact.since == since


def test_after_an_error_contact_begins_with_the_next_answer() -> None:
    contact = Contact(largest_gap=3)
    contact.answered(0, connection=1)
    contact.lose()
    assert contact.answered(1, connection=2) is None
    assert contact.since == 1
