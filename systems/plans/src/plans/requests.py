"""What users ask for: a new plan, its end, another try, going on; each in its own transaction."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from plans.models import EventType, FailureReason, Plan, PlanFile, PlanState
from plans.pipeline import pipeline, profiles
from plans.records import end_stopped, forget_failure, locked, note, now_of


class Refused(Exception):
    """A request can't be met.

    Attributes:
        code: What a program reads.
        message: What a person reads.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def create(
    session: Session, prompt: str, *, model_profile: str | None, start_date: str | None
) -> Plan:
    """A new plan, which waits for a worker.

    Raises:
        Refused: If an argument is not what it should be.
    """
    if not prompt.strip():
        raise Refused("INVALID_ARGUMENTS", "the prompt is empty")
    plan = Plan(
        prompt=prompt.strip(),
        steps_total=len(pipeline().steps),
        progress_message="Waiting for a worker.",
        parameters={
            "model_profile": _profile(model_profile) or profiles().default,
            "trigger_source": "mcp plan_create",
            "start_date": _date(start_date),
            "pipeline_version": pipeline().version,
        },
    )
    session.add(plan)
    session.flush()
    session.refresh(plan)
    note(session, plan, EventType.CREATED, **plan.parameters)
    return plan


def stop(session: Session, plan_id: uuid.UUID) -> tuple[Plan, bool]:
    """Ask for the end of a plan; tells whether there was something to end.

    A plan that waits ends at once. A worker ends its plan after the step that it is in, so that
    what was paid for is kept; until then the plan is still being processed.
    """
    plan = find(session, plan_id, lock=True)
    if PlanState(plan.state).has_ended:
        return plan, False
    if not plan.stop_requested:
        plan.stop_requested = True
        note(session, plan, EventType.STOP_REQUESTED, state=plan.state)
    if plan.state == PlanState.PENDING or _is_abandoned(plan, now_of(session)):
        end_stopped(session, plan)
    return plan, True


def retry(session: Session, plan_id: uuid.UUID, *, model_profile: str | None) -> Plan:
    """Begin a failed plan anew: nothing of the earlier work is left.

    Raises:
        Refused: If it has not failed.
    """
    profile = _profile(model_profile)
    plan = find(session, plan_id, lock=True)
    if plan.state != PlanState.FAILED:
        raise Refused("PLAN_NOT_FAILED", f"the plan is {plan.state}; only a failed one is retried")
    session.execute(delete(PlanFile).where(PlanFile.plan_id == plan.id))
    forget_failure(plan)
    plan.generated_report_html = plan.run_zip_snapshot = None
    plan.restore = False
    plan.steps_completed, plan.progress_percentage = 0, 0.0
    plan.progress_message = "Waiting for a worker."
    plan.started_at = plan.last_progress_at = plan.last_seen_timestamp = None
    kept = {key: value for key, value in plan.parameters.items() if not key.startswith("resume")}
    plan.parameters = {**kept, "pipeline_version": pipeline().version, **_chosen(profile)}
    note(session, plan, EventType.RETRIED, **plan.parameters)
    return plan


def resume(session: Session, plan_id: uuid.UUID, *, model_profile: str | None) -> Plan:
    """Let a failed plan go on from its last snapshot: finished steps stay finished.

    Raises:
        Refused: If it has not failed, or its files are not those of this pipeline.
    """
    profile = _profile(model_profile)
    plan = find(session, plan_id, lock=True)
    _require_resumable(plan)
    forget_failure(plan)
    plan.restore = plan.run_zip_snapshot is not None
    plan.progress_message = "Waiting for a worker to go on."
    count = plan.parameters.get("resume_count", 0) + 1
    resumed = {"resume": True, "resume_count": count, "trigger_source": "mcp plan_resume"}
    plan.parameters = {**plan.parameters, **resumed, **_chosen(profile)}
    note(session, plan, EventType.RESUMED, **plan.parameters)
    return plan


def find(session: Session, plan_id: uuid.UUID, *, lock: bool = False) -> Plan:
    """A plan.

    Raises:
        Refused: If there is none of this id.
    """
    plan = locked(session, plan_id) if lock else session.get(Plan, plan_id)
    if plan is None:
        raise Refused("PLAN_NOT_FOUND", f"there is no plan {plan_id}")
    return plan


def latest(session: Session, limit: int) -> list[Plan]:
    """The latest plans, the newest first."""
    wanted = select(Plan).order_by(Plan.timestamp_created.desc(), Plan.id).limit(limit)
    return list(session.scalars(wanted))


def _require_resumable(plan: Plan) -> None:
    if plan.state != PlanState.FAILED:
        still = ", and still stops" if plan.stop_requested else ""
        raise Refused(
            "PLAN_NOT_RESUMABLE", f"the plan is {plan.state}{still}; only a failed one is resumed"
        )
    version = plan.parameters.get("pipeline_version")
    if version != pipeline().version:
        was = "by an unknown version" if version is None else f"by version {version}"
        raise Refused(
            "PIPELINE_VERSION_MISMATCH",
            f"the plan was begun {was} of the pipeline, and this is {pipeline().version}; "
            "plan_retry begins it anew",
        )
    if plan.failure_reason == FailureReason.VERSION_MISMATCH:
        raise Refused("PIPELINE_VERSION_MISMATCH", f"{plan.error_message}; plan_retry begins anew")
    if plan.recoverable is False:
        raise Refused("PLAN_NOT_RESUMABLE", f"to go on can't help: {plan.error_message}")


def _is_abandoned(plan: Plan, now: datetime) -> bool:
    return plan.lease_until is not None and plan.lease_until < now


def _profile(name: str | None) -> str | None:
    if name is not None and name not in profiles().by_name:
        known = ", ".join(profiles().by_name)
        raise Refused("INVALID_ARGUMENTS", f"there is no model profile {name!r}; known: {known}")
    return name


def _chosen(profile: str | None) -> dict[str, Any]:
    return {} if profile is None else {"model_profile": profile}


def _date(text: str | None) -> str:
    if text is None:
        return datetime.now(UTC).date().isoformat()
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError as error:
        raise Refused("INVALID_ARGUMENTS", f"start_date {text!r} is no date: {error}") from error
