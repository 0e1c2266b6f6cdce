"""Stock Celery with the settings its documentation recommends for work that must not be lost.

One setting cannot be right: `visibility_timeout` must be longer than the longest job, and is how long a job waits that
lost its worker. It is given to each scenario as short as its jobs allow.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, Task

from tests.faults import deeds
from tests.faults.deeds import Work

VISIBILITY = "FAULTS_VISIBILITY_TIMEOUT"
GRACE = "FAULTS_GRACE"
QUEUE = "faults"

app = Celery("stock", broker=os.environ["HEAVYLIFT_REDIS_URL"], backend=os.environ["HEAVYLIFT_REDIS_URL"])
app.conf.update(
    task_default_queue=QUEUE,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=True,  # else they run twice
    worker_soft_shutdown_timeout=float(os.environ.get(GRACE, "5")),
    worker_enable_soft_shutdown_on_idle=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_channel_error_retry=True,
    broker_transport_options={
        "visibility_timeout": float(os.environ.get(VISIBILITY, "15")),
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
        "socket_timeout": 10,
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "health_check_interval": 10,
    },
    redis_socket_timeout=10,
    redis_socket_connect_timeout=3,
    redis_socket_keepalive=True,
)


def _do(task: Task, order: dict[str, Any]) -> str:
    return deeds.do(task.request.id, Work.model_validate(order), save=lambda _: None)


work = app.task(_do, bind=True, name="faults.work")
neighbour = app.task(_do, bind=True, name="faults.neighbour")


@app.task(bind=True, name="faults.poison")
def poison(task: Task, order: dict[str, Any]) -> None:
    """Kill the whole worker, every time."""
    deeds.kill_own_worker(task.request.id, Work.model_validate(order))


tasks = {task.name: task for task in (work, neighbour, poison)}
