"""Where nothing scales, no worker may stay marked: after a change of the engine nobody else would take marks back.
What was published of pools goes too, with people's orders: they would seem to be heeded, and would be, much later.

A controller of before the change may still be there, and about to make a scale-in. So its next word is made to fail
first, and what it said before is waited for; only then are marks taken back.
"""

from __future__ import annotations

import threading

import structlog

from heavylift.errors import StoreUnavailable
from heavylift.operations import call_workers, depose, drain, read_pools, read_scenes
from heavylift.store import Store
from heavylift_controller.queues import Queues
from heavylift_controller.scaler import status
from heavylift_controller.scaler.fenced import draw_epoch, forget

RETRY_SECONDS = 1.0
LAST_WORD_SECONDS = 9.0
"""As long as a scale-in may take from its last check to its end; less than a deposed leader takes to lead anew."""
OLD_SECONDS = 60.0
"""Seconds without a decision after which nobody scales a pool any more."""
AGAIN_SECONDS = 60.0
"""A rollout of the controller may take a while, in which the old one marks workers again."""

log = structlog.get_logger()


def undraining(
    store: Store, queues: Queues, stop: threading.Event, *, last_word: float = LAST_WORD_SECONDS
) -> threading.Thread:
    """Take all marks back, again and again, in a thread of its own."""

    def run() -> None:
        while not stop.is_set():
            try:
                undrain(store, queues, stop, last_word=last_word)
                stop.wait(AGAIN_SECONDS)
            except StoreUnavailable:
                stop.wait(RETRY_SECONDS)

    thread = threading.Thread(target=run, name="undrain", daemon=True)
    thread.start()
    return thread


def undrain(store: Store, queues: Queues, stop: threading.Event, *, last_word: float) -> None:
    """Take all marks of the known queues back. Raises StoreUnavailable."""
    scenes = store.run(read_scenes(store.keys, queues.names()))
    _forget(store, max((scene.now for scene in scenes.values()), default=None))
    marked = {queue: sorted(scene.draining) for queue, scene in scenes.items() if scene.draining}
    if not marked:
        return
    epoch = draw_epoch(store, scenes)
    if not store.run(depose(store.keys, epoch)):
        log.warning("marks_are_anothers", queues=sorted(marked))  # which scales: nothing may be taken from it
        return
    if stop.wait(last_word):
        return
    for queue, workers in marked.items():
        if not store.run(drain(store.keys, queue, epoch=epoch, release=workers)):
            log.warning("marks_are_anothers", queues=[queue])
            return
    names = sorted({name for workers in marked.values() for name in workers})
    store.run(call_workers(store.keys, names))
    log.info("left_over_marks_taken_back", workers=names)


def _forget(store: Store, now: float | None) -> None:
    """Drop what is known of pools that nobody has decided about for a while, and what was ordered about them."""
    statuses = {name: status.load(text) for name, text in store.run(read_pools(store.keys)).items()}
    old = sorted(name for name, each in statuses.items() if now is not None and now - each.decided_at > OLD_SECONDS)
    if old:
        forget(store, old)
        log.info("pools_forgotten", pools=old)
