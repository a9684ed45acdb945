"""What every change of a plan is made of: the lock on its row, its end, and the audit trail.

    pending ──> processing ──> completed
       │ ↑          │
       ↓ │          ↓
       failed <─────┘

A plan is changed only under the lock on its row, so that events are in the order in which they
become visible, and whoever reads a state under the lock may rely on it.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from plans import snapshot
from plans.models import Event, EventType, FailureReason, Plan, PlanFile, PlanState

STOPPED_MESSAGE = "Stopped on request."


def now_of(session: Session) -> datetime:
    """The time; the database's clock is the only one that all processes share."""
    now: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return now


def locked(session: Session, plan_id: uuid.UUID) -> Plan | None:
    """A plan under the lock on its row."""
    return session.scalar(select(Plan).where(Plan.id == plan_id).with_for_update())


def note(session: Session, plan: Plan, event: EventType, **payload: Any) -> None:
    """Write down what happens to a plan."""
    session.add(Event(plan_id=plan.id, type=event.value, epoch=plan.epoch, payload=payload))


def files_of(session: Session, plan_id: uuid.UUID) -> dict[str, bytes]:
    """All files of a plan."""
    found = session.execute(
        select(PlanFile.path, PlanFile.content).where(PlanFile.plan_id == plan_id)
    )
    return {row.path: row.content for row in found}


def end_stopped(session: Session, plan: Plan) -> None:
    """End a plan that somebody has stopped."""
    _end(session, plan, PlanState.FAILED)
    plan.progress_message = plan.error_message = STOPPED_MESSAGE
    plan.recoverable = True
    note(session, plan, EventType.STOPPED, steps_completed=plan.steps_completed)


def end_failed(
    session: Session, plan: Plan, reason: FailureReason, message: str, *, step: str | None = None
) -> None:
    """End a plan that can't go on."""
    _end(session, plan, PlanState.FAILED)
    plan.failure_reason = reason.value
    plan.failed_step = step
    plan.progress_message = plan.error_message = message
    plan.recoverable = reason.is_recoverable
    note(session, plan, EventType.FAILED, reason=reason.value, step=step, message=message)


def end_completed(session: Session, plan: Plan, report: str) -> None:
    """End a plan that is done."""
    plan.generated_report_html = report
    _end(session, plan, PlanState.COMPLETED)
    plan.progress_percentage = 100.0
    plan.progress_message = "Completed."
    note(session, plan, EventType.COMPLETED, steps_completed=plan.steps_completed)


def forget_failure(plan: Plan) -> None:
    """Take back how a plan has ended, since it begins again."""
    plan.state = PlanState.PENDING.value
    plan.stop_requested = False
    plan.failure_reason = plan.failed_step = plan.error_message = plan.recoverable = None
    plan.ended_at = None
    plan.losses = 0
    plan.current_step = None


def _end(session: Session, plan: Plan, state: PlanState) -> None:
    """Let go of a plan and keep its files as a zip, unless an untouched one is still to be used."""
    session.flush()
    files = files_of(session, plan.id)
    if files and not plan.restore:
        plan.run_zip_snapshot = snapshot.pack(files)
    plan.state = state.value
    plan.ended_at = now_of(session)
    plan.current_step = plan.claimed_by = plan.lease_until = None
