"""The Celery app of a worker: our transport, no result backend, no remote control, one task a job type.

Celery brings the process: prefork pool, event loop, reconnecting. What an attempt is, and when it has ended, is ours.
"""

from __future__ import annotations

from celery import Celery, Task
from kombu import Queue

from heavylift import transport
from heavylift_worker.desk import Desk
from heavylift_worker.registry import Registry
from heavylift_worker.settings import WorkerSettings


class JobTask(Task):
    """A job type as Celery knows it: a name that messages carry, and what the worker does with them."""

    Strategy = "heavylift_worker.request:strategy"
    abstract = True


def build_app(settings: WorkerSettings, registry: Registry, desk: Desk, queues: tuple[str, ...]) -> Celery:
    """Return the app of one worker process."""
    transport.register()
    app = Celery("heavylift", broker="heavylift://", set_as_current=True)
    app.conf.update(
        broker_transport_options={"desk": desk, "settings": settings},
        task_queues=[Queue(name, no_declare=True) for name in queues],
        task_create_missing_queues=False,
        # Redis may come back after any time, and with any error on the way: the worker waits for it.
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,
        # Running jobs outlive a lost connection: their leases are renewed by the supervisor's own.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_prefetch_count_reduction=False,
        worker_pool_putlocks=False,  # the desk counts slots
        worker_consumer="heavylift_worker.consumer:JobConsumer",
        worker_concurrency=settings.concurrency,
        worker_pool="heavylift_worker.pool:JobTaskPool",
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
    )
    for name in registry.types:
        app.register_task(type("JobTask", (JobTask,), {"name": name, "run": _not_run_by_celery})())
    return app


def _not_run_by_celery(*_: object) -> None:
    raise AssertionError("the strategy hands jobs to the pool itself")
