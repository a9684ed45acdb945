"""The tables."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, MetaData, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, deferred, mapped_column


class PlanState(StrEnum):
    """Where a plan stands; the last two stay until somebody retries or resumes."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def has_ended(self) -> bool:
        """Whether nobody works on it, or will."""
        return self in {PlanState.COMPLETED, PlanState.FAILED}


class FailureReason(StrEnum):
    """Why a plan failed, where nobody has stopped it."""

    GENERATION_ERROR = "generation_error"
    WORKER_ERROR = "worker_error"
    INACTIVITY_TIMEOUT = "inactivity_timeout"
    INTERNAL_ERROR = "internal_error"
    VERSION_MISMATCH = "version_mismatch"

    @property
    def is_recoverable(self) -> bool:
        """Whether to resume can help."""
        return self not in {FailureReason.INTERNAL_ERROR, FailureReason.VERSION_MISMATCH}


class EventType(StrEnum):
    """What can happen to a plan."""

    CREATED = "created"
    CLAIMED = "claimed"
    RESTORED = "restored"
    TRY_FAILED = "try_failed"
    STEP_COMPLETED = "step_completed"
    STOP_REQUESTED = "stop_requested"
    STOPPED = "stopped"
    RELEASED = "released"
    LOST = "lost"
    FAILED = "failed"
    COMPLETED = "completed"
    RESUMED = "resumed"
    RETRIED = "retried"


_STATES = ", ".join(f"'{state.value}'" for state in PlanState)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy wants a plain class attribute
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(none_as_null=True),
    }


class Plan(Base):
    """A plan and how far it is.

    `epoch` is the fencing token of a claim: it grows with each claim, and who has an older one may
    not write any more. `lease_until` is when others may take the plan over from its worker.
    `restore` says that the files of the snapshot are to be taken before work goes on.
    """

    __tablename__ = "plans"
    __table_args__ = (
        CheckConstraint(f"state IN ({_STATES})", name="state"),
        Index("ix_plans_state_timestamp_created", "state", "timestamp_created"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    timestamp_created: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    state: Mapped[str] = mapped_column(default=PlanState.PENDING.value)
    prompt: Mapped[str]
    parameters: Mapped[dict[str, Any]]
    progress_percentage: Mapped[float] = mapped_column(default=0.0)
    progress_message: Mapped[str] = mapped_column(default="")
    steps_completed: Mapped[int] = mapped_column(default=0)
    steps_total: Mapped[int]
    current_step: Mapped[str | None]
    last_seen_timestamp: Mapped[datetime | None]
    last_progress_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    stop_requested: Mapped[bool] = mapped_column(default=False)
    failure_reason: Mapped[str | None]
    failed_step: Mapped[str | None]
    error_message: Mapped[str | None]
    recoverable: Mapped[bool | None]
    epoch: Mapped[int] = mapped_column(default=0)
    claimed_by: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    losses: Mapped[int] = mapped_column(default=0)
    restore: Mapped[bool] = mapped_column(default=False)
    generated_report_html: Mapped[str | None] = deferred(mapped_column())
    run_zip_snapshot: Mapped[bytes | None] = deferred(mapped_column())


class PlanFile(Base):
    """One file of a plan; each is written once, by the step that makes it."""

    __tablename__ = "plan_files"

    plan_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("plans.id"), primary_key=True)
    path: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[bytes]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Event(Base):
    """The audit trail."""

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_plan_id_id", "plan_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("plans.id"))
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    type: Mapped[str]
    epoch: Mapped[int]
    payload: Mapped[dict[str, Any]]


class Worker(Base):
    """A worker that lives, or has lived."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    heartbeat: Mapped[datetime]
    current_plan: Mapped[uuid.UUID | None]


class ExamplePrompt(Base):
    """A prompt to begin with."""

    __tablename__ = "example_prompts"

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    prompt: Mapped[str]
