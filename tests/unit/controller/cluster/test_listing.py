from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from heavylift_controller.cluster.api import Api
from heavylift_controller.cluster.listing import Listing
from tests.scripted_api import ScriptedApi, answer
from tests.waiting import wait_until

HPAS, QUOTAS = (
    "/apis/autoscaling/v2/namespaces/media/horizontalpodautoscalers",
    "/api/v1/namespaces/media/resourcequotas",
)


@pytest.fixture
def start(api: Api) -> Iterator[Callable[[], Listing]]:
    listing = Listing(api, HPAS, QUOTAS)

    def start() -> Listing:
        listing.start()
        return listing

    yield start
    api.close()
    listing.stop()


def test_all_kinds_are_listed(server: ScriptedApi, start: Callable[[], Listing]):
    server.script(answer({"items": [{"a": 1}]}), answer({"items": []}))

    listing = start()

    assert listing.complete.wait(5)
    assert listing.objects(HPAS) == [{"a": 1}]
    assert listing.objects(QUOTAS) == []


@pytest.mark.parametrize("status", [403, 404])
def test_a_kind_that_is_not_there_or_may_not_be_read_has_no_objects(
    server: ScriptedApi, start: Callable[[], Listing], monkeypatch: pytest.MonkeyPatch, status: int
):
    monkeypatch.setattr("heavylift_controller.cluster.absence.FORBIDDEN_SECONDS", 0.5)
    server.script(*[answer({}, status), answer({"items": [{"a": 1}]})] * 2)

    listing = start()

    assert listing.complete.wait(5)
    assert listing.objects(HPAS) == []


def test_a_kind_that_may_not_be_read_is_waited_for_a_while(server: ScriptedApi, start: Callable[[], Listing]):
    server.script(answer({}, 403), answer({"items": []}), answer({"items": [{"a": 1}]}), answer({"items": []}))

    listing = start()

    wait_until(lambda: len(server.requests) >= 2)
    assert not listing.complete.is_set()
    assert listing.complete.wait(5)
    assert listing.objects(HPAS) == [{"a": 1}]


@pytest.mark.parametrize("status", [403, 404])
def test_what_was_listed_stays_while_a_server_that_starts_says_that_there_is_none(
    server: ScriptedApi, start: Callable[[], Listing], monkeypatch: pytest.MonkeyPatch, status: int
):
    monkeypatch.setattr("heavylift_controller.cluster.listing.EVERY", 0.1)
    there = [answer({"items": [{"a": 1}]}), answer({"items": []})]
    server.script(*there, *[answer({}, status), answer({"items": []})] * 3, *there * 20)

    listing = start()

    assert listing.complete.wait(5)
    known: list[object] = []
    wait_until(lambda: known.append(listing.objects(HPAS)) or len(server.requests) > 10, every=0.01)
    assert all(each == [{"a": 1}] for each in known)


def test_nothing_is_complete_while_a_kind_could_not_be_asked_for(server: ScriptedApi, start: Callable[[], Listing]):
    server.script(answer({}, 401), answer({"items": []}), answer({"items": [{"a": 1}]}), answer({"items": []}))

    listing = start()

    wait_until(lambda: len(server.requests) >= 2)
    assert not listing.complete.is_set()
    assert listing.complete.wait(5)
    assert listing.objects(HPAS) == [{"a": 1}]
