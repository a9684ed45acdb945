"""Runs: start one, look at it, look at all."""

from __future__ import annotations

import logging
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, HTTPException, Query, Response, status
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from runs import lifecycle, queue
from runs.api.schemas import NewRun, RunItemOut, RunOut, RunSummary, Totals
from runs.api.sessions import RequestSession
from runs.models import Dataset, Provider, Run, RunState

Named = TypeVar("Named", Dataset, Provider)

router = APIRouter(prefix="/runs", tags=["runs"])
log = logging.getLogger(__name__)


@router.post("", status_code=status.HTTP_201_CREATED)
def start_run(new: NewRun, session: RequestSession, response: Response) -> RunOut:
    """Evaluate a model on a dataset; the answer comes at once, the work is done by a worker."""
    run = lifecycle.create(
        session,
        dataset=_named(session, Dataset, new.dataset),
        provider=_named(session, Provider, new.provider),
        model=new.model,
    )
    session.commit()
    try:
        queue.enqueue(run.id)
    except BrokerError as error:
        log.warning("run %s waits for the dispatcher, the queue is away: %s", run.id, error)
    response.headers["Location"] = f"/runs/{run.id}"
    return _detailed(run)


@router.get("")
def list_runs(
    session: RequestSession,
    state: RunState | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> list[RunSummary]:
    """The latest runs, the newest first."""
    wanted = (
        select(Run)
        .options(joinedload(Run.dataset), joinedload(Run.provider))
        .order_by(Run.created_at.desc())
        .limit(limit)
    )
    if state is not None:
        wanted = wanted.where(Run.state == state.value)
    return [RunSummary(**_summary(run)) for run in session.scalars(wanted)]


@router.get("/{run_id}")
def show_run(run_id: uuid.UUID, session: RequestSession) -> RunOut:
    """A run with all its items."""
    run = session.get(Run, run_id, options=[selectinload(Run.items)])
    if run is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no run {run_id}")
    return _detailed(run)


def _named(session: RequestSession, kind: type[Named], name: str) -> Named:
    found = session.scalar(select(kind).where(kind.name == name))
    if found is None:
        noun = kind.__name__.lower()
        raise HTTPException(
            status.HTTP_404_NOT_FOUND, f"there is no {noun} named {name!r}; GET /{noun}s lists them"
        )
    return found


def _summary(run: Run) -> dict[str, Any]:
    is_overdue = run.retry_at is not None and run.retry_at < datetime.now(UTC)
    return {
        "id": run.id,
        "dataset": run.dataset.name,
        "model": run.model,
        "provider": run.provider.name,
        "state": run.state,
        "attempts": run.attempts,
        "max_attempts": run.max_attempts,
        "score": run.score,
        "error": run.error,
        "retry_at": run.retry_at,
        "retry_overdue": is_overdue,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    }


def _detailed(run: Run) -> RunOut:
    items = [RunItemOut.model_validate(item) for item in run.items]
    totals = Totals(
        items=len(items),
        done=sum(item.answer is not None for item in items),
        correct=sum(bool(item.correct) for item in items),
    )
    return RunOut(**_summary(run), totals=totals, items=items)
