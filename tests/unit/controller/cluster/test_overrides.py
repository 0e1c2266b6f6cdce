from __future__ import annotations

import pytest

from heavylift_controller.cluster.overrides import overrides_of
from heavylift_controller.scaler.platform import Overrides


def _pool(spec: object = None, *, annotations: object = None, fields: object = None) -> dict[str, object]:
    return {
        "spec": spec or {},
        "metadata": {"name": "rel-video", "annotations": annotations, "managedFields": fields or []},
    }


def _setter(manager: str, field: str, time: str = "2026-01-01T00:00:00Z") -> dict[str, object]:
    return {"manager": manager, "time": time, "fieldsV1": {"f:spec": {field: {}}}}


def test_an_empty_spec_asks_for_nothing():
    assert overrides_of(_pool()) == (Overrides(), ())


def test_an_object_without_a_spec_asks_for_nothing():
    assert overrides_of({"metadata": {}}) == (Overrides(), ())


def test_every_field_is_read():
    spec = {
        "replicas": 5,
        "holdUntil": "2027-01-15T08:00:00Z",
        "paused": True,
        "freezeIn": False,
        "freezeOut": True,
        "min": 1,
        "max": 20,
        "minIdle": 2,
        "queues": {"video": {"targetWaitSeconds": 12.5}, "thumbs": {}},
    }
    asked, ignored = overrides_of(_pool(spec))
    assert not ignored
    assert asked == Overrides(
        hold_at=5,
        hold_until=1_800_000_000.0,
        held_by="WorkerPool/rel-video",
        paused=True,
        freeze_in=False,
        freeze_out=True,
        least=1,
        most=20,
        idle=2,
        target_wait={"video": 12.5},
    )


def test_a_pool_can_be_held_at_none():
    assert overrides_of(_pool({"replicas": 0}))[0].hold_at == 0


def test_the_program_that_set_the_number_last_is_named():
    fields = [
        _setter("kubectl-edit", "f:min", "2026-01-03T00:00:00Z"),
        _setter("argocd", "f:replicas", "2026-01-01T00:00:00Z"),
        _setter("kubectl", "f:replicas", "2026-01-02T00:00:00Z"),
    ]
    assert overrides_of(_pool({"replicas": 3}, fields=fields))[0].held_by == "kubectl"


def test_who_set_a_number_that_is_gone_holds_nothing():
    assert not overrides_of(_pool({}, fields=[_setter("kubectl", "f:replicas")]))[0].held_by


def test_the_end_of_a_hold_without_a_number_means_nothing():
    assert overrides_of(_pool({"holdUntil": "2027-01-15T08:00:00Z"}))[0].hold_until is None


@pytest.mark.parametrize(
    ("annotation", "field"),
    [
        ("heavylift.dev/paused", "paused"),
        ("heavylift.dev/freeze-in", "freeze_in"),
        ("heavylift.dev/freeze-out", "freeze_out"),
    ],
)
def test_an_annotation_does_what_the_field_does(annotation: str, field: str):
    asked, ignored = overrides_of(_pool(annotations={annotation: "true"}))
    assert (getattr(asked, field), ignored) == (True, ())


@pytest.mark.parametrize(("said", "noted"), [(True, "false"), (False, "true")])
def test_field_or_annotation_is_enough(said: bool, noted: str):
    asked, _ = overrides_of(_pool({"paused": said}, annotations={"heavylift.dev/paused": noted}))
    assert asked.paused is True


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"replicas": -1}, "spec.replicas is ignored: -1 is"),
        ({"replicas": True}, "spec.replicas is ignored: True is"),
        ({"replicas": "5"}, "spec.replicas is ignored: '5' is"),
        ({"replicas": 5, "holdUntil": "tomorrow"}, "spec.holdUntil is ignored: 'tomorrow' is"),
        ({"replicas": 5, "holdUntil": "2027-01-15T08:00:00"}, "spec.holdUntil is ignored"),
        ({"paused": "yes"}, "spec.paused is ignored: 'yes' is"),
        ({"max": 1.5}, "spec.max is ignored: 1.5 is"),
        ({"queues": ["video"]}, "spec.queues is ignored"),
        ({"queues": {"video": 3}}, "spec.queues.video is ignored: 3 is"),
        ({"queues": {"video": {"targetWaitSeconds": 0}}}, "spec.queues.video is ignored: 0 is"),
        ({"queues": {"audio": {"targetWaitSeconds": 3}}}, "spec.queues.audio is ignored: the pool serves no"),
    ],
)
def test_what_cannot_be_read_is_left_out_and_named(spec: dict[str, object], named: str):
    asked, ignored = overrides_of(_pool({"min": 2, **spec}), queues=("video",))
    assert (asked.least, asked.target_wait) == (2, {})
    assert len(ignored) == 1
    assert ignored[0].startswith(named)


def test_an_annotation_of_another_word_is_left_out_and_named():
    asked, ignored = overrides_of(_pool(annotations={"heavylift.dev/paused": "yes"}))
    assert asked.paused is None
    assert ignored == ("""the annotation heavylift.dev/paused is ignored: 'yes' is neither "true" nor "false".""",)
