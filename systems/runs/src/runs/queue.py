"""The task queue, for those who only put tasks into it: the API and beat."""

from __future__ import annotations

import uuid

from celery import Celery

from runs.settings import settings

EXECUTE = "runs.execute"
DISPATCH = "runs.dispatch_due"

app = Celery("runs", broker=settings().redis_url)
app.conf.update(
    task_default_queue="runs",
    task_ignore_result=True,
    # A run is only taken off the queue when its attempt has ended, so that it survives its worker.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=True,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": max(60, 2 * settings().lease),
        "socket_connect_timeout": 3,
    },
    # One short interval is all there is; nothing of it is worth keeping in a file.
    beat_scheduler="celery.beat:Scheduler",
    beat_schedule={
        "dispatch-due-runs": {
            "task": DISPATCH,
            "schedule": settings().dispatch_interval,
            # Without a worker, old ticks are of no use to anybody.
            "options": {"expires": max(10.0, 2 * settings().dispatch_interval)},
        },
    },
)


def enqueue(run_id: uuid.UUID, *, countdown: float | None = None) -> None:
    """Hand a run to a worker.

    Args:
        run_id: Which run.
        countdown: Seconds before it may start.

    Raises:
        kombu.exceptions.OperationalError: If the broker can't be reached.
    """
    app.send_task(EXECUTE, args=[str(run_id)], countdown=countdown)
