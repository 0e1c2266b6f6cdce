from __future__ import annotations

from heavylift_controller.cluster.events import AGAIN_SECONDS, Echo, Note, event

NOTE = Note("video", "ScaledOut", "8 workers instead of 3", warning=False)
ABOUT = {"apiVersion": "heavylift.dev/v1alpha1", "kind": "WorkerPool", "name": "media-video", "uid": "1"}


def test_the_same_sentence_is_told_again_only_after_a_while():
    echo = Echo()

    assert echo.fresh(NOTE, 100.0)
    assert not echo.fresh(NOTE, 100.0 + AGAIN_SECONDS - 1)
    assert echo.fresh(NOTE, 100.0 + AGAIN_SECONDS)


def test_another_sentence_is_told_at_once():
    echo = Echo()
    echo.fresh(NOTE, 100.0)

    assert echo.fresh(Note("video", "ScaledOut", "9 workers instead of 8", warning=False), 100.5)
    assert echo.fresh(Note("images", "ScaledOut", NOTE.sentence, warning=False), 100.5)


def test_an_event_is_about_an_object_and_fits_what_kubernetes_takes():
    long = Note("video", "Refused", "é" * 900, warning=True)
    told = event(long, ABOUT, namespace="media", instance="pod_1")

    assert told["regarding"] == {**ABOUT, "namespace": "media"}
    assert told["type"] == "Warning"
    assert len(str(told["note"]).encode()) == 1024
