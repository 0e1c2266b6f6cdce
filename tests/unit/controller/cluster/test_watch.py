from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
import urllib3

from heavylift_controller.cluster.absence import Absence
from heavylift_controller.cluster.api import Api, JsonObject
from heavylift_controller.cluster.fields import text
from heavylift_controller.cluster.watch import Watch, _end
from tests.scripted_api import Answer, ScriptedApi, answer
from tests.waiting import wait_until

PATH = "/api/v1/namespaces/media/pods"
Start = Callable[..., Watch[str]]


def obj(name: str, version: int = 1, said: str = "") -> JsonObject:
    return {"metadata": {"name": name, "resourceVersion": str(version)}, "said": said}


def listed(*objects: JsonObject, version: int) -> Answer:
    return answer({"metadata": {"resourceVersion": str(version)}, "items": list(objects)})


def watched(*events: tuple[str, JsonObject], stays: bool = True) -> Answer:
    """Answer with events; a stream that stays has promised more, and breaks off when the read's time is over."""
    body = b"".join(json.dumps({"type": kind, "object": found}).encode() + b"\n" for kind, found in events)
    return Answer(200, body, {"Content-Type": "application/json"}, None if stays else len(body))


def gone() -> tuple[str, JsonObject]:
    return "ERROR", {"kind": "Status", "code": 410, "message": "too old"}


@pytest.fixture
def start(api: Api) -> Iterator[Start]:
    started: list[Watch[str]] = []

    def start(*, absence: Absence | None = None) -> Watch[str]:
        watch = Watch(api, PATH, lambda found: text(found, "said"), absence=absence)
        started.append(watch)
        watch.start()
        return watch

    yield start
    for each in started:
        each.stop()


def test_what_is_listed_and_then_happens_is_known(server: ScriptedApi, start: Start):
    server.script(
        listed(obj("a", said="first"), obj("b"), version=5),
        watched(("MODIFIED", obj("a", 6, "second")), ("DELETED", obj("b", 7)), ("ADDED", obj("c", 8))),
    )

    watch = start()

    wait_until(lambda: watch.objects() == {"a": "second", "c": ""})
    assert "resourceVersion=5" in server.requests[1].path


def test_the_next_watch_goes_on_from_the_last_bookmark(server: ScriptedApi, start: Start):
    server.script(listed(version=5), watched(("BOOKMARK", obj("", 99))), watched())

    watch = start()

    wait_until(lambda: len(server.requests) >= 3)
    assert "resourceVersion=99" in server.requests[2].path
    assert "allowWatchBookmarks=1" in server.requests[2].path
    assert watch.objects() == {}


@pytest.mark.parametrize("forgotten", [watched(gone()), answer({"message": "too old"}, 410)])
def test_a_version_that_the_server_has_forgotten_is_listed_anew(server: ScriptedApi, start: Start, forgotten: Answer):
    server.script(listed(obj("a"), version=5), forgotten, listed(obj("b"), version=9), watched())

    watch = start()

    wait_until(lambda: set(watch.objects()) == {"b"})
    wait_until(lambda: len(server.requests) >= 4)
    assert "resourceVersion=9" in server.requests[3].path


def test_nothing_is_current_before_the_first_list(server: ScriptedApi, api: Api):
    assert Watch(api, PATH, lambda found: found).age() == float("inf")


def test_what_is_known_grows_old_while_the_server_is_away(server: ScriptedApi, start: Start):
    server.script(listed(obj("a"), version=5), watched(), *[answer({}, 503)] * 5000)

    watch = start()

    wait_until(lambda: watch.age() < 1)
    wait_until(lambda: watch.age() > 1)
    assert set(watch.objects()) == {"a"}
    assert len(server.requests) < 12  # it does not press


def test_a_kind_that_is_not_there_has_no_objects_and_is_asked_for_only_now_and_then(server: ScriptedApi, start: Start):
    server.script(answer({}, 404))

    watch = start(absence=Absence())

    wait_until(lambda: watch.absent)
    assert watch.objects() == {}
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [403, 404])
def test_what_was_read_stays_while_a_server_that_starts_says_that_there_is_none(
    server: ScriptedApi, start: Start, status: int
):
    later = [listed(obj("a", said="later"), version=9), watched()]
    server.script(listed(obj("a", said="first"), version=5), *[answer({}, status)] * 4, *later)
    known: list[str] = []

    watch = start(absence=Absence())

    wait_until(lambda: known.append(watch.objects().get("a", "")) or known[-1] == "later", every=0.001)
    assert set(known) <= {"", "first", "later"}
    assert "" not in known[known.index("first") :]


def test_what_was_read_goes_once_its_kind_has_not_been_there_for_long(
    server: ScriptedApi, start: Start, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("heavylift_controller.cluster.absence.REMOVED_SECONDS", 0.5)
    server.script(listed(obj("a"), version=5), *[answer({}, 404)] * 20)

    watch = start(absence=Absence())

    wait_until(lambda: watch.absent)
    assert set(watch.objects()) == {"a"}
    wait_until(lambda: not watch.objects())
    assert 3 < len(server.requests) < 10


def test_it_stops_at_once_while_a_watch_is_open(server: ScriptedApi, start: Start):
    server.script(listed(version=5), Answer(200, b"", {"Content-Length": "100"}))
    watch = start()
    wait_until(lambda: len(server.requests) == 2)

    watch.stop()

    assert not watch._thread.is_alive()


def test_a_watch_that_has_just_broken_off_by_itself_can_be_ended(server: ScriptedApi, api: Api):
    server.script(Answer(200, b"", {"Content-Length": "100"}))

    with api.stream(PATH, {}, read_seconds=5) as response:
        with pytest.raises(urllib3.exceptions.HTTPError):
            list(response)
        _end(response)
