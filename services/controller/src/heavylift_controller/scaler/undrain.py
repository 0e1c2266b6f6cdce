"""Where nothing scales, no worker may stay marked: after a change of the engine nobody else would take marks back."""

from __future__ import annotations

import threading

import structlog

from heavylift.errors import StoreUnavailable
from heavylift.operations import call_workers, drain, next_epoch, read_scenes
from heavylift.store import Store
from heavylift_controller.queues import Queues

RETRY_SECONDS = 1.0

log = structlog.get_logger()


def undrain_once(store: Store, queues: Queues, stop: threading.Event) -> threading.Thread:
    """Take all marks back, once Redis answers, in a thread of its own."""

    def run() -> None:
        while not stop.is_set():
            try:
                undrain(store, queues)
            except StoreUnavailable:
                stop.wait(RETRY_SECONDS)
            else:
                return

    thread = threading.Thread(target=run, name="undrain", daemon=True)
    thread.start()
    return thread


def undrain(store: Store, queues: Queues) -> None:
    """Take all marks of the known queues back. Raises StoreUnavailable."""
    scenes = store.run(read_scenes(store.keys, queues.names()))
    marked = {queue: sorted(scene.draining) for queue, scene in scenes.items() if scene.draining}
    if not marked:
        return
    epoch = store.run(next_epoch(store.keys))
    for queue, workers in marked.items():
        store.run(drain(store.keys, queue, epoch=epoch, release=workers))
    names = sorted({name for workers in marked.values() for name in workers})
    store.run(call_workers(store.keys, names))
    log.info("left_over_marks_taken_back", workers=names)
