"""The life of a run: each step locks the run, changes it, and writes down what happened.

    queued ──> running ──> completed
                │  ↑ │
                │  │ └───> failed
                ↓  │
            retry_scheduled

Each function belongs in a transaction of its own. Since every step holds the lock on the run's row,
events are numbered in the order in which they become visible.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from runs.models import Dataset, EventType, Provider, Run, RunEvent, RunItem, RunState
from runs.scoring import is_correct
from runs.settings import settings

UNCLAIMED = timedelta(seconds=30)


class ClaimLost(Exception):
    """Somebody else has taken over the run, or it has ended."""


@dataclass(frozen=True)
class Claim:
    """The right to work on a run, for one attempt."""

    run_id: uuid.UUID
    attempt: int


@dataclass(frozen=True)
class Busy:
    """Somebody else works on the run, and may do so for some more seconds."""

    seconds: float


@dataclass(frozen=True)
class Failure:
    """Why an attempt failed.

    Attributes:
        type: Class of the error.
        status: HTTP status of the provider, if it answered.
        message: What the provider said.
        is_transient: Whether another attempt may succeed.
    """

    type: str
    status: int | None
    message: str
    is_transient: bool


WORKER_LOST = Failure(
    type="WorkerLost",
    status=None,
    message="the worker of the last attempt fell silent",
    is_transient=False,
)


def create(session: Session, dataset: Dataset, provider: Provider, model: str) -> Run:
    """Queue a new run over all items of a dataset."""
    items = [
        RunItem(position=item.position, prompt=item.prompt, expected=item.expected)
        for item in dataset.items
    ]
    run = Run(
        dataset=dataset,
        provider=provider,
        model=model,
        state=RunState.QUEUED.value,
        attempts=0,
        max_attempts=settings().max_attempts,
        last_seq=0,
        items=items,
        dispatch_at=_now(session) + UNCLAIMED,
    )
    session.add(run)
    session.flush()
    _note(
        session,
        run,
        EventType.QUEUED,
        dataset=dataset.name,
        model=model,
        provider=provider.name,
        items=len(items),
    )
    return run


def claim(session: Session, run_id: uuid.UUID) -> Claim | Busy | None:
    """Take on a run; None means that there is nothing to do for it now.

    A message of the queue may come twice: only one of its receivers gets the claim.
    """
    run = _lock(session, run_id)
    now = _now(session)
    if run is None or RunState(run.state).is_terminal:
        return None
    if run.state == RunState.RETRY_SCHEDULED and run.retry_at is not None and run.retry_at > now:
        return None
    if run.state == RunState.RUNNING:
        if run.lease_until is not None and run.lease_until > now:
            return Busy((run.lease_until - now).total_seconds())
        _note(session, run, EventType.ATTEMPT_LOST, attempt=run.attempts)
        if run.attempts >= run.max_attempts:
            _fail(session, run, now, WORKER_LOST)
            return None
    run.state = RunState.RUNNING.value
    run.attempts += 1
    run.retry_at = None
    run.started_at = run.started_at or now
    _extend_lease(run, now)
    _note(session, run, EventType.STARTED, attempt=run.attempts)
    return Claim(run.id, run.attempts)


def next_item(session: Session, claim: Claim) -> RunItem:
    """The first item without an answer; keeps the claim alive for another lease."""
    run, now = _claimed(session, claim)
    _extend_lease(run, now)
    return session.execute(
        select(RunItem)
        .where(RunItem.run_id == run.id, RunItem.answer.is_(None))
        .order_by(RunItem.position)
        .limit(1)
    ).scalar_one()


def record_answer(session: Session, claim: Claim, position: int, answer: str) -> bool:
    """Score an answer; returns whether it was the last one, which completes the run."""
    run, now = _claimed(session, claim)
    item = session.get_one(RunItem, (run.id, position))
    if item.answer is None:
        item.answer = answer
        item.correct = is_correct(answer, item.expected)
        item.attempt = claim.attempt
        item.scored_at = now
        session.flush()
        progress = _progress(session, run)
        _note(
            session,
            run,
            EventType.ITEM_SCORED,
            attempt=claim.attempt,
            position=position,
            answer=answer,
            correct=item.correct,
            progress=progress,
        )
        if progress["done"] == progress["items"]:
            _complete(session, run, now, progress)
    return run.state == RunState.COMPLETED


def fail_attempt(session: Session, claim: Claim, failure: Failure) -> datetime | None:
    """End an attempt that failed; returns when the next one is due, None if there is none."""
    run, now = _claimed(session, claim)
    if not failure.is_transient or run.attempts >= run.max_attempts:
        _fail(session, run, now, failure)
        return None
    due = now + timedelta(seconds=settings().retry_delay * 2 ** (run.attempts - 1))
    run.state = RunState.RETRY_SCHEDULED.value
    run.error = _as_error(run, failure)
    run.retry_at = run.dispatch_at = due
    run.lease_until = None
    _note(
        session,
        run,
        EventType.RETRY_SCHEDULED,
        attempt=run.attempts,
        error=run.error,
        retry_at=due.isoformat(),
    )
    return due


def take_due(session: Session, limit: int = 100) -> list[uuid.UUID]:
    """Runs to hand to a worker now: due retries, lost messages, lost workers.

    They are not due again for a while, so that a slow worker doesn't get them many times.
    """
    now = _now(session)
    due = (
        select(Run)
        .where(Run.dispatch_at <= now)
        .order_by(Run.dispatch_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = []
    for run in session.scalars(due):
        run.dispatch_at = now + UNCLAIMED
        found.append(run.id)
    return found


def _lock(session: Session, run_id: uuid.UUID) -> Run | None:
    return session.scalar(select(Run).where(Run.id == run_id).with_for_update())


def _claimed(session: Session, claim: Claim) -> tuple[Run, datetime]:
    run = _lock(session, claim.run_id)
    if run is None or run.state != RunState.RUNNING or run.attempts != claim.attempt:
        raise ClaimLost(f"attempt {claim.attempt} of run {claim.run_id} is over")
    return run, _now(session)


def _now(session: Session) -> datetime:
    # The database's clock is the only one that all workers share.
    now: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return now


def _extend_lease(run: Run, now: datetime) -> None:
    run.lease_until = run.dispatch_at = now + timedelta(seconds=settings().lease)


def _progress(session: Session, run: Run) -> dict[str, int]:
    items, done, correct = session.execute(
        select(
            func.count(),
            func.count(RunItem.answer),
            func.count().filter(RunItem.correct.is_(True)),
        ).where(RunItem.run_id == run.id)
    ).one()
    return {"items": items, "done": done, "correct": correct}


def _complete(session: Session, run: Run, now: datetime, progress: dict[str, int]) -> None:
    run.score = progress["correct"] / progress["items"]
    run.error = None
    _end(run, RunState.COMPLETED, now)
    _note(
        session, run, EventType.COMPLETED, attempts=run.attempts, score=run.score, totals=progress
    )


def _fail(session: Session, run: Run, now: datetime, failure: Failure) -> None:
    run.error = _as_error(run, failure)
    _end(run, RunState.FAILED, now)
    _note(session, run, EventType.FAILED, attempts=run.attempts, error=run.error)


def _end(run: Run, state: RunState, now: datetime) -> None:
    run.state = state.value
    run.finished_at = now
    run.retry_at = run.lease_until = run.dispatch_at = None


def _as_error(run: Run, failure: Failure) -> dict[str, Any]:
    return {
        "type": failure.type,
        "status": failure.status,
        "message": failure.message,
        "attempt": run.attempts,
    }


def _note(session: Session, run: Run, event: EventType, **payload: Any) -> None:
    run.last_seq += 1
    session.add(RunEvent(run_id=run.id, seq=run.last_seq, type=event.value, payload=payload))
