from __future__ import annotations

import pytest

from heavylift_controller.cluster.api import Api
from heavylift_controller.cluster.platform import KubernetesPlatform
from heavylift_controller.scaler.platform import PlatformError, Scaled
from heavylift_controller.scaler.pools import Pool, PoolQueue
from tests.scripted_api import Answer, ScriptedApi, answer

POOLS = {"video": Pool(deployment="media-video", resource="video", queues={"video": PoolQueue()})}


def refused(status: int) -> Answer:
    return answer({"message": "no"}, status)


def found(replicas: int) -> Answer:
    return answer({"metadata": {"name": "media-video"}, "spec": {"replicas": replicas}})


@pytest.fixture
def platform(api: Api) -> KubernetesPlatform:
    return KubernetesPlatform(api, lambda: POOLS, lease="scaling")


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


@pytest.mark.parametrize("failure", [refused(500), refused(504), Answer(status=0)])
def test_an_attempt_whose_outcome_is_unknown_is_an_error_and_made_once(
    platform: KubernetesPlatform, server: ScriptedApi, failure: Answer
):
    server.script(failure)

    with pytest.raises(PlatformError):
        platform.scale("video", current=3, to=5)

    assert server.paths == [
        "PATCH /apis/apps/v1/namespaces/media/deployments/media-video/scale?fieldManager=heavylift-controller"
    ]


def test_a_number_that_is_there_already_is_not_written(platform: KubernetesPlatform, server: ScriptedApi):
    assert platform.scale("video", current=3, to=3) is Scaled.DONE
    assert server.requests == []


def test_nothing_is_said_of_pools_before_they_were_seen(platform: KubernetesPlatform):
    with pytest.raises(PlatformError, match="not seen yet"):
        platform.look()


def test_a_pool_that_is_not_ours_is_an_error(platform: KubernetesPlatform):
    with pytest.raises(PlatformError, match="no pool images"):
        platform.look_again("images")


def test_a_platform_that_never_started_can_be_closed(platform: KubernetesPlatform):
    platform.close()

    assert (platform.leadership.epoch(), platform.leadership.left()) == (None, 0.0)
