"""The series that exist before anything has happened, from the services' own registries and from Redis's exporter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric

from heavylift.operations import Claimant
from heavylift_api import metrics as api_metrics
from heavylift_api.app import create_app
from heavylift_api.auth import ApiKeys
from heavylift_api.settings import ApiSettings
from heavylift_controller import metrics as controller_metrics
from heavylift_controller.observer import Observer, QueueStateCollector
from heavylift_controller.queues import Queues
from heavylift_controller.scaler import metrics as scaling_metrics
from heavylift_worker.desk import Desk
from heavylift_worker.jobs.video import transcode
from heavylift_worker.metrics import PrometheusMeter
from tests.integration.controller.actors import Board

EXPORTER = Path(__file__).with_name("redis-exporter-series.txt")

TARGET = {"namespace": "jobs", "app_kubernetes_io_instance": "heavylift", "pool": "video", "heavylift_dev_pool": ""}
"""Labels that the scrape adds."""

Series = dict[str, str]
"""The labels of a series, its name under `__name__`, as Prometheus has them."""


def existing_series(redis_url: str) -> list[Series]:
    """Return what Prometheus would hold of a fresh release with one queue and one job type."""
    create_app(ApiSettings(), keys=ApiKeys({}))
    api_metrics.create_submit_series(transcode.name)
    controller_metrics.announce("video")
    controller_metrics.announce_loop("observer")
    scaling_metrics.announce("video")
    PrometheusMeter(Desk(Claimant("worker", "boot"), slots=2), [transcode], ["video"])
    return [
        *_samples(REGISTRY.collect()),
        *_samples(_queue_state(redis_url)),
        *({"__name__": name} | TARGET for name in EXPORTER.read_text().splitlines() if not name.startswith("#")),
    ]


def _queue_state(redis_url: str) -> list[Metric]:
    board = Board(redis_url)
    observer = Observer(board.store, Queues(board.store), tick=1)
    observer.turn()
    board.store.close()
    return [*QueueStateCollector(observer).collect()]


def _samples(families: Iterable[Metric]) -> Iterator[Series]:
    for family in families:
        for sample in family.samples:
            yield {"__name__": sample.name} | TARGET | sample.labels
