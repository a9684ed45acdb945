"""Takes plans from the database and works on them, one at a time: `python -m plans.worker`."""

from __future__ import annotations

import logging
import signal
import threading
from functools import partial

from psycopg.errors import UndefinedTable
from sqlalchemy.exc import ProgrammingError

from plans import execution
from plans.database import AWAY, patiently, sessions
from plans.execution import Claim
from plans.executor import execute
from plans.settings import settings

BEATS_PER_LEASE = 4

log = logging.getLogger(__name__)


class Heart:
    """Says from a thread of its own that the worker lives, also during a long model call.

    A frozen process freezes with all its threads, so that its lease runs out.
    """

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._claim: Claim | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._ended.set()
        self._thread.join()

    def hold(self, claim: Claim | None) -> None:
        """Keep this claim alive from now on; None for no claim."""
        self._claim = claim

    def _run(self) -> None:
        while not self._ended.wait(settings().lease / BEATS_PER_LEASE):
            claim = self._claim
            try:
                with sessions().begin() as session:
                    is_good = execution.beat(session, self._worker, claim)
            except AWAY as error:
                log.warning("no heartbeat, the database is away: %s", error.orig)
                continue
            if not is_good and claim == self._claim:
                log.warning("the claim on plan %s is lost", claim and claim.plan_id)


def main() -> None:
    """Work until SIGTERM."""
    logging.basicConfig(level=settings().log_level, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    signal.signal(signal.SIGINT, lambda *_: ending.set())
    worker = settings().worker_id
    log.info("worker %s has started", worker)
    if _wait_for_tables(worker, ending):
        heart = Heart(worker)
        heart.start()
        while not ending.is_set():
            _work_once(worker, heart, ending)
        heart.stop()
    log.info("worker %s has ended", worker)


def _wait_for_tables(worker: str, ending: threading.Event) -> bool:
    """Wait for the migrations; tells whether they have come."""
    is_told = False
    while not ending.is_set():
        try:
            with sessions().begin() as session:
                execution.enlist(session, worker)
        except AWAY as error:
            log.warning("the database is away: %s", error.orig)
        except ProgrammingError as error:
            if not isinstance(error.orig, UndefinedTable):
                raise
            if not is_told:
                log.warning("the database has no tables yet: alembic upgrade head")
            is_told = True
        else:
            return True
        ending.wait(settings().poll)
    return False


def _work_once(worker: str, heart: Heart, ending: threading.Event) -> None:
    """Do the next plan, or wait a moment for one."""
    try:
        claim = patiently(partial(execution.claim, worker=worker))
        if claim is None:
            ending.wait(settings().poll)
            return
        log.info("plan %s: claim %d", claim.plan_id, claim.epoch)
        heart.hold(claim)
        try:
            execute(claim, ending)
        finally:
            heart.hold(None)
        patiently(partial(execution.rest, worker=worker))
    except AWAY as error:
        log.error("the database stays away: %s", error.orig)  # noqa: TRY400 - the reason is known
        ending.wait(settings().poll)


if __name__ == "__main__":
    main()
