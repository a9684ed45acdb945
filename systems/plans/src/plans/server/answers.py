"""What the tools answer, as plain values."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from plans.models import Plan, PlanFile, PlanState
from plans.records import now_of

LONGEST_EXCERPT = 100
MOST_FILES = 10


def status(session: Session, plan: Plan) -> dict[str, Any]:
    """All that is known of a plan."""
    told = {
        "plan_id": str(plan.id),
        "state": plan.state,
        "stop_requested": plan.stop_requested,
        "progress_percentage": plan.progress_percentage,
        "progress_message": plan.progress_message,
        "steps_completed": plan.steps_completed,
        "steps_total": plan.steps_total,
        "current_step": plan.current_step,
        "resume_count": plan.parameters.get("resume_count", 0),
        "timing": {
            "started_at": moment(plan.started_at),
            "elapsed_sec": elapsed(session, plan),
            "last_progress_at": moment(plan.last_progress_at),
        },
        **_files(session, plan),
    }
    if plan.state == PlanState.FAILED:
        told["error"] = {
            "failure_reason": plan.failure_reason,
            "failed_step": plan.failed_step,
            "message": plan.error_message,
            "recoverable": plan.recoverable,
        }
    return told


def listed(plan: Plan) -> dict[str, Any]:
    """A plan in a list."""
    return {
        "plan_id": str(plan.id),
        "state": plan.state,
        "progress_percentage": plan.progress_percentage,
        "created_at": moment(plan.timestamp_created),
        "prompt_excerpt": plan.prompt[:LONGEST_EXCERPT],
    }


def elapsed(session: Session, plan: Plan) -> float:
    """Seconds from its start to its end, or to now."""
    if plan.started_at is None:
        return 0.0
    return round(((plan.ended_at or now_of(session)) - plan.started_at).total_seconds(), 3)


def moment(at: datetime | None) -> str | None:
    """A time as text."""
    return None if at is None else at.isoformat()


def _files(session: Session, plan: Plan) -> dict[str, Any]:
    mine = PlanFile.plan_id == plan.id
    count = session.scalar(select(func.count()).select_from(PlanFile).where(mine))
    newest = session.execute(
        select(PlanFile.path, PlanFile.updated_at)
        .where(mine)
        .order_by(PlanFile.updated_at.desc(), PlanFile.path.desc())
        .limit(MOST_FILES)
    )
    files = [{"path": path, "updated_at": moment(at)} for path, at in newest]
    return {"files_count": count, "files": files}
