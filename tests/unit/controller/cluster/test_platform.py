from __future__ import annotations

import json
import re

import pytest

from heavylift_controller.cluster.api import Api
from heavylift_controller.cluster.platform import MARGIN, KubernetesPlatform
from heavylift_controller.scaler.platform import PlatformError, Scaled
from heavylift_controller.scaler.pools import Pool, PoolQueue
from tests.scripted_api import Answer, ScriptedApi, answer, drop

POOLS = {"video": Pool(deployment="media-video", resource="video", queues={"video": PoolQueue()})}


def refused(status: int) -> Answer:
    return answer({"message": "no"}, status)


def found(replicas: int, version: str = "7") -> Answer:
    metadata = {"name": "media-video", "uid": "u", "resourceVersion": version}
    return answer({"metadata": metadata, "spec": {"replicas": replicas}})


NO_PODS = answer({"items": []})
SCALE = "PATCH /apis/apps/v1/namespaces/media/deployments/media-video/scale?fieldManager=heavylift-controller"


@pytest.fixture
def platform(api: Api) -> KubernetesPlatform:
    return KubernetesPlatform(api, lambda: POOLS, lease="scaling")


@pytest.fixture
def leader(platform: KubernetesPlatform, server: ScriptedApi) -> KubernetesPlatform:
    """The platform, having taken the Lease that nobody had."""
    server.script(refused(404), answer({"spec": {}}))
    platform.leadership._turn()
    server.requests.clear()
    return platform


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([found(5)], Scaled.DONE),
        ([refused(429), found(5)], Scaled.DONE),
        ([refused(422), found(4)], Scaled.CHANGED),
        ([refused(409), found(3)], Scaled.CHANGED),
        ([refused(422), found(3)], Scaled.REFUSED),
        ([refused(403), found(3)], Scaled.REFUSED),
        ([refused(403), found(4)], Scaled.CHANGED),
    ],
)
def test_what_becomes_of_an_attempt_to_set_the_number(
    platform: KubernetesPlatform, server: ScriptedApi, answers: list[Answer], outcome: Scaled
):
    server.script(*answers)

    assert platform.scale("video", current=3, to=5) is outcome


@pytest.mark.parametrize("lost", [drop(), refused(504)])
@pytest.mark.parametrize("wanted", [5, 8])
def test_a_number_set_by_a_request_whose_answer_was_lost_is_nobody_elses(
    leader: KubernetesPlatform, server: ScriptedApi, lost: Answer, wanted: int
):
    server.script(found(0), NO_PODS, lost, refused(422), found(5), found(5), NO_PODS)
    leader.look_again("video")
    with pytest.raises(PlatformError):
        leader.scale("video", current=0, to=5)

    assert leader.scale("video", current=0, to=wanted) is Scaled.CHANGED

    sight = leader.look_again("video")
    assert (sight.replicas, sight.scaled_by) == (5, "")


def test_a_number_that_our_request_was_refused_for_is_somebodys(leader: KubernetesPlatform, server: ScriptedApi):
    server.script(found(0), NO_PODS, refused(422), found(5), found(5), NO_PODS)
    leader.look_again("video")

    assert leader.scale("video", current=0, to=5) is Scaled.CHANGED

    assert leader.look_again("video").scaled_by == "somebody"


@pytest.mark.parametrize("failure", [refused(500), refused(504), Answer(status=0)])
def test_an_attempt_whose_outcome_is_unknown_is_an_error_and_made_once(
    platform: KubernetesPlatform, server: ScriptedApi, failure: Answer
):
    server.script(failure)

    with pytest.raises(PlatformError):
        platform.scale("video", current=3, to=5)

    assert server.paths == [SCALE]


def test_workers_are_taken_away_only_if_nothing_has_changed_since_the_last_look(
    leader: KubernetesPlatform, server: ScriptedApi
):
    server.script(found(3), NO_PODS, found(1))
    leader.look_again("video")

    assert leader.scale("video", current=3, to=1) is Scaled.DONE

    assert server.paths[-1].startswith(f"{SCALE}&timeout=")
    assert json.loads(server.requests[-1].body) == [
        {"op": "test", "path": "/metadata/uid", "value": "u"},
        {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "test", "path": "/spec/replicas", "value": 3},
        {"op": "add", "path": "/spec/replicas", "value": 1},
    ]


def test_no_workers_are_taken_away_without_a_look_of_its_own(leader: KubernetesPlatform, server: ScriptedApi):
    assert leader.scale("video", current=3, to=1) is Scaled.CHANGED
    assert server.requests == []

    server.script(found(3), NO_PODS, found(1))
    leader.look_again("video")
    leader.scale("video", current=3, to=1)
    del server.requests[:]

    assert leader.scale("video", current=1, to=0) is Scaled.CHANGED
    assert server.requests == []


def test_a_look_that_failed_is_none(leader: KubernetesPlatform, server: ScriptedApi):
    server.script(found(3), NO_PODS, found(3), refused(403))
    leader.look_again("video")
    with pytest.raises(PlatformError):
        leader.look_again("video")
    del server.requests[:]

    assert leader.scale("video", current=3, to=1) is Scaled.CHANGED
    assert server.requests == []


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([refused(422), found(3, "8")], Scaled.CHANGED),
        ([refused(422), found(2, "8")], Scaled.CHANGED),
        ([refused(422), found(3)], Scaled.REFUSED),
        ([refused(403), found(3)], Scaled.REFUSED),
    ],
)
def test_what_becomes_of_an_attempt_to_take_workers_away(
    leader: KubernetesPlatform, server: ScriptedApi, answers: list[Answer], outcome: Scaled
):
    server.script(found(3), NO_PODS, *answers)
    leader.look_again("video")

    assert leader.scale("video", current=3, to=1) is outcome


@pytest.mark.parametrize("failure", [refused(429), refused(503), refused(504), drop()])
def test_workers_are_never_taken_away_by_a_request_sent_again(
    leader: KubernetesPlatform, server: ScriptedApi, failure: Answer
):
    server.script(found(3), NO_PODS, failure)
    leader.look_again("video")

    with pytest.raises(PlatformError):
        leader.scale("video", current=3, to=1)

    assert len([path for path in server.paths if path.startswith("PATCH")]) == 1


def test_taking_workers_away_is_given_up_before_the_leadership_may_end(leader: KubernetesPlatform, server: ScriptedApi):
    server.script(found(3), NO_PODS, found(1))
    leader.look_again("video")
    leader.leadership._renewed_at -= 5

    leader.scale("video", current=3, to=1)

    [milliseconds] = re.findall(r"timeout=(\d+)ms$", server.paths[-1])
    assert 0 < int(milliseconds) <= (8 - 5 - MARGIN) * 1000


def test_no_workers_are_taken_away_when_the_leadership_is_about_to_end(leader: KubernetesPlatform, server: ScriptedApi):
    server.script(found(3), NO_PODS)
    leader.look_again("video")
    leader.leadership._renewed_at -= 8 - MARGIN

    assert leader.scale("video", current=3, to=1) is Scaled.CHANGED
    assert len(server.requests) == 2


def test_a_number_that_is_there_already_is_not_written(platform: KubernetesPlatform, server: ScriptedApi):
    assert platform.scale("video", current=3, to=3) is Scaled.DONE
    assert server.requests == []


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_pods_are_marked_until_the_time_for_it_is_over(
    platform: KubernetesPlatform, server: ScriptedApi, monkeypatch: pytest.MonkeyPatch, seconds: float
):
    monkeypatch.setattr("heavylift_controller.cluster.platform.WORK_SECONDS", seconds)
    server.script(*[answer({})] * 6)

    platform.mark("video", ["a", "b", "c"])
    platform.unmark("video", ["a", "b", "c"])

    done = [path.split("/")[6] for path in server.paths]
    assert done == (["a", "b", "c"] * 2 if seconds else ["a", "a"])


def test_nothing_is_said_of_pools_before_they_were_seen(platform: KubernetesPlatform):
    with pytest.raises(PlatformError, match="not seen yet"):
        platform.look()


def test_a_pool_that_is_not_ours_is_an_error(platform: KubernetesPlatform):
    with pytest.raises(PlatformError, match="no pool images"):
        platform.look_again("images")


def test_a_platform_that_never_started_can_be_closed(platform: KubernetesPlatform):
    platform.close()

    assert (platform.leadership.epoch(), platform.leadership.left()) == (None, 0.0)
