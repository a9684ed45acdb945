"""The worker's tasks; `celery --app runs.worker worker` starts it."""

from __future__ import annotations

import logging
import uuid
from typing import Any

from celery.signals import worker_process_init
from psycopg.errors import UndefinedTable
from sqlalchemy.exc import ProgrammingError

from runs import lifecycle, queue
from runs.database import AWAY, forget_connections, sessions
from runs.executor import execute
from runs.settings import settings

log = logging.getLogger(__name__)
app = queue.app


@worker_process_init.connect
def _after_fork(**_: Any) -> None:
    forget_connections()


@app.task(name=queue.EXECUTE)
def execute_run(run_id: str) -> None:
    """Make an attempt at a run; a message that can't be acted on yet comes back later."""
    run = uuid.UUID(run_id)
    try:
        busy = execute(run)
    except AWAY as error:
        log.error("run %s: put back, the database stays away: %s", run_id, error.orig)  # noqa: TRY400 - the reason is known
        queue.enqueue(run, countdown=settings().lease)
        return
    if busy is not None:
        # Its worker may be dead, and this the only message that is left of it.
        log.info("run %s: busy, looking again in %.0f s", run_id, busy.seconds)
        queue.enqueue(run, countdown=busy.seconds + 1)


@app.task(name=queue.DISPATCH, acks_late=False)
def dispatch_due() -> None:
    """Hand the runs that are due to the workers."""
    try:
        with sessions().begin() as session:
            for run_id in lifecycle.take_due(session):
                queue.enqueue(run_id)
                log.info("run %s: dispatched", run_id)
    except AWAY as error:
        log.warning("nothing dispatched, the database is away: %s", error.orig)
    except ProgrammingError as error:
        if not isinstance(error.orig, UndefinedTable):
            raise
        log.warning("nothing dispatched, the database has no tables yet: alembic upgrade head")
