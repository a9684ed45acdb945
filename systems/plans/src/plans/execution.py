"""What a worker does to a plan; only who holds the plan's latest claim may.

Each function belongs in a transaction of its own and may be repeated with the same arguments: the
answer to a commit can get lost.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from plans.models import EventType, FailureReason, Plan, PlanFile, PlanState, Worker
from plans.pipeline import METADATA_FILE, Step, pipeline
from plans.records import (
    end_completed,
    end_failed,
    end_stopped,
    files_of,
    locked,
    note,
    now_of,
)
from plans.report import render
from plans.settings import settings
from plans.snapshot import NotResumable, check_version, unpack


class ClaimLost(Exception):
    """Somebody else has taken over the plan, or it has ended."""


@dataclass(frozen=True)
class Claim:
    """The right to work on a plan.

    Attributes:
        plan_id: The plan.
        epoch: Number of the claim; a later one makes it worthless.
    """

    plan_id: uuid.UUID
    epoch: int


@dataclass(frozen=True)
class Work:
    """What there is to do.

    Attributes:
        prompt: What the user has asked for.
        parameters: Parameters of the plan.
        steps: The steps that are not done.
    """

    prompt: str
    parameters: dict[str, Any]
    steps: list[Step]


def claim(session: Session, worker: str) -> Claim | None:
    """Take on the oldest plan that waits, or whose worker has fallen silent; None if none does."""
    now = now_of(session)
    waits = and_(Plan.state == PlanState.PENDING, Plan.stop_requested.is_(False))
    lost = and_(Plan.state == PlanState.PROCESSING, Plan.lease_until < now)
    plan = session.scalar(
        select(Plan)
        .where(or_(waits, lost))
        .order_by(Plan.timestamp_created)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if plan is None or (plan.state == PlanState.PROCESSING and _ended_as_lost(session, plan)):
        return None
    plan.state = PlanState.PROCESSING.value
    plan.epoch += 1
    plan.claimed_by = worker
    plan.started_at = plan.started_at or now
    plan.progress_message = "A worker has begun."
    _extend(plan, now)
    note(session, plan, EventType.CLAIMED, worker=worker)
    _tell_what_it_does(session, worker, plan.id)
    return Claim(plan.id, plan.epoch)


def sweep(session: Session) -> None:
    """End the plans that nobody has taken over: those to be stopped, and those silent for long."""
    now = now_of(session)
    forgotten = now - timedelta(seconds=settings().inactivity)
    abandoned = session.scalars(
        select(Plan)
        .where(
            Plan.state == PlanState.PROCESSING,
            or_(
                and_(Plan.lease_until < now, Plan.stop_requested.is_(True)),
                Plan.lease_until < forgotten,
            ),
        )
        .with_for_update(skip_locked=True)
    )
    for plan in abandoned:
        if plan.stop_requested:
            end_stopped(session, plan)
        else:
            message = f"No worker has gone on with the plan since {plan.last_seen_timestamp}."
            end_failed(session, plan, FailureReason.INACTIVITY_TIMEOUT, message)


def begin(session: Session, claim: Claim) -> Work | None:
    """What there is to do, with the files in place; None if the plan has ended instead."""
    plan = _claimed(session, claim)
    if plan.stop_requested:
        end_stopped(session, plan)
        return None
    try:
        files = _files_to_go_on_from(session, plan)
    except NotResumable as error:
        message = f"Not resumable: {error}"
        end_failed(session, plan, FailureReason.VERSION_MISMATCH, message)
        return None
    steps = pipeline().missing(files)
    _progressed(plan, len(pipeline().steps) - len(steps))
    if not steps:
        _complete(session, plan)
        return None
    return Work(plan.prompt, plan.parameters, steps)


def enter(session: Session, claim: Claim, step: Step) -> dict[str, str] | None:
    """The sections that a step builds on; None if the plan was stopped instead."""
    plan = _claimed(session, claim)
    if plan.stop_requested:
        end_stopped(session, plan)
        return None
    plan.current_step = step.name
    plan.progress_message = f"Working on {step.title}."
    _extend(plan, now_of(session))
    return _sections(session, plan, step.needs)


def record(session: Session, claim: Claim, step: Step, files: dict[str, bytes]) -> bool:
    """Keep what a step has made; tells whether there is more to do.

    The last step completes the plan; a stop that was asked for ends it.
    """
    plan = _claimed(session, claim)
    now = now_of(session)
    known = _names(session, plan.id)
    if not known.issuperset(step.files):
        _keep(session, plan.id, files)
        note(session, plan, EventType.STEP_COMPLETED, step=step.name)
    missing = pipeline().missing(known | set(files))
    _progressed(plan, len(pipeline().steps) - len(missing))
    plan.last_progress_at = now
    plan.losses = 0
    _extend(plan, now)
    if not missing:
        _complete(session, plan)
    elif plan.stop_requested:
        end_stopped(session, plan)
    return plan.state == PlanState.PROCESSING


def note_failed_try(session: Session, claim: Claim, step: Step, message: str) -> bool:
    """Write down that a model call failed; tells whether the plan goes on, or was stopped."""
    plan = _claimed(session, claim)
    note(session, plan, EventType.TRY_FAILED, step=step.name, message=message)
    if plan.stop_requested:
        end_stopped(session, plan)
    return plan.state == PlanState.PROCESSING


def fail(
    session: Session, claim: Claim, reason: FailureReason, message: str, step: str | None = None
) -> None:
    """End a plan that can't go on, or that was stopped while it failed."""
    plan = _claimed(session, claim)
    if plan.stop_requested:
        end_stopped(session, plan)
    else:
        end_failed(session, plan, reason, message, step=step)


def release(session: Session, claim: Claim) -> None:
    """Hand a plan to whoever takes it over next, if it has not ended."""
    plan = session.scalar(select(Plan).where(_holds(claim)).with_for_update())
    if plan is None:
        return
    note(session, plan, EventType.RELEASED, worker=plan.claimed_by)
    plan.claimed_by = None
    plan.lease_until = now_of(session)


def enlist(session: Session, worker: str) -> None:
    """Say that a worker has started."""
    _tell_what_it_does(session, worker, None)
    session.execute(
        update(Worker).where(Worker.id == worker).values(started_at=func.clock_timestamp())
    )


def rest(session: Session, worker: str) -> None:
    """Say that a worker has nothing to do."""
    _tell_what_it_does(session, worker, None)


def beat(session: Session, worker: str, claim: Claim | None) -> bool:
    """Say that a worker lives; tells whether its claim, if it has one, is still good."""
    session.execute(
        update(Worker).where(Worker.id == worker).values(heartbeat=func.clock_timestamp())
    )
    if claim is None:
        return True
    until = func.clock_timestamp() + timedelta(seconds=settings().lease)
    extended = session.execute(
        update(Plan)
        .where(_holds(claim))
        .values(lease_until=until, last_seen_timestamp=func.clock_timestamp())
        .returning(Plan.id)
    )
    return extended.first() is not None


def _holds(claim: Claim) -> ColumnElement[bool]:
    return and_(
        Plan.id == claim.plan_id, Plan.epoch == claim.epoch, Plan.state == PlanState.PROCESSING
    )


def _claimed(session: Session, claim: Claim) -> Plan:
    plan = locked(session, claim.plan_id)
    if plan is None or plan.state != PlanState.PROCESSING or plan.epoch != claim.epoch:
        raise ClaimLost(f"claim {claim.epoch} of plan {claim.plan_id} is over")
    return plan


def _ended_as_lost(session: Session, plan: Plan) -> bool:
    """Write down that a plan's worker is lost; tells whether that ends the plan."""
    if plan.claimed_by is not None:
        plan.losses += 1
        note(session, plan, EventType.LOST, worker=plan.claimed_by, losses=plan.losses)
    if plan.stop_requested:
        end_stopped(session, plan)
    elif plan.losses >= settings().max_losses:
        message = f"{plan.losses} workers in a row were lost in the same step."
        end_failed(session, plan, FailureReason.WORKER_ERROR, message, step=plan.current_step)
    return PlanState(plan.state).has_ended


def _files_to_go_on_from(session: Session, plan: Plan) -> set[str]:
    """Names of the files that are there, after those of a snapshot were put in their place."""
    if plan.restore:
        files = unpack(plan.run_zip_snapshot or b"")
        session.execute(delete(PlanFile).where(PlanFile.plan_id == plan.id))
        _keep(session, plan.id, files)
        plan.restore = False
        note(session, plan, EventType.RESTORED, files=len(files))
        return set(files)
    files = files_of(session, plan.id)
    if files:
        check_version(files)
        return set(files)
    _keep(session, plan.id, _first_files(plan, now_of(session)))
    return _names(session, plan.id)


def _first_files(plan: Plan, now: datetime) -> dict[str, bytes]:
    metadata = {"pipeline_version": pipeline().version, "plan_id": str(plan.id)}
    return {
        "001-1-start_time.json": _as_json({"server_time": now.isoformat()}),
        "001-2-plan.txt": plan.prompt.encode(),
        METADATA_FILE: _as_json(metadata),
    }


def _as_json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _names(session: Session, plan_id: uuid.UUID) -> set[str]:
    return set(session.scalars(select(PlanFile.path).where(PlanFile.plan_id == plan_id)))


def _keep(session: Session, plan_id: uuid.UUID, files: dict[str, bytes]) -> None:
    rows = [{"plan_id": plan_id, "path": path, "content": files[path]} for path in files]
    session.execute(insert(PlanFile).on_conflict_do_nothing(), rows)


def _sections(session: Session, plan: Plan, names: tuple[str, ...]) -> dict[str, str]:
    wanted = {one.text_file: one.name for one in pipeline().steps if one.name in names}
    found = session.execute(
        select(PlanFile.path, PlanFile.content).where(
            PlanFile.plan_id == plan.id, PlanFile.path.in_(wanted)
        )
    )
    return {wanted[path]: content.decode() for path, content in found}


def _complete(session: Session, plan: Plan) -> None:
    sections = _sections(session, plan, tuple(one.name for one in pipeline().steps))
    report = render(plan.prompt, sections)
    _keep(session, plan.id, {pipeline().report_file: report.encode()})
    end_completed(session, plan, report)


def _progressed(plan: Plan, done: int) -> None:
    plan.steps_total = len(pipeline().steps)
    plan.steps_completed = done
    plan.progress_percentage = round(100.0 * done / plan.steps_total, 1)


def _extend(plan: Plan, now: datetime) -> None:
    plan.lease_until = now + timedelta(seconds=settings().lease)
    plan.last_seen_timestamp = now


def _tell_what_it_does(session: Session, worker: str, plan_id: uuid.UUID | None) -> None:
    now = func.clock_timestamp()
    session.execute(
        insert(Worker)
        .values(id=worker, started_at=now, heartbeat=now, current_plan=plan_id)
        .on_conflict_do_update(
            index_elements=[Worker.id], set_={"heartbeat": now, "current_plan": plan_id}
        )
    )
