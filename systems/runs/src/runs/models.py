"""The tables."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    MetaData,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class RunState(StrEnum):
    """Where a run stands; the last two are terminal."""

    QUEUED = "queued"
    RUNNING = "running"
    RETRY_SCHEDULED = "retry_scheduled"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing can follow."""
        return self in {RunState.COMPLETED, RunState.FAILED}


class EventType(StrEnum):
    """What can happen to a run."""

    QUEUED = "run.queued"
    STARTED = "run.started"
    ITEM_SCORED = "item.scored"
    ATTEMPT_LOST = "run.attempt_lost"
    RETRY_SCHEDULED = "run.retry_scheduled"
    COMPLETED = "run.completed"
    FAILED = "run.failed"


_STATES = ", ".join(f"'{state.value}'" for state in RunState)


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


class Provider(Base):
    """An account with a model provider.

    Where `base_url` or `api_key` is null, the worker's environment decides at the time of a call.
    """

    __tablename__ = "providers"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    name: Mapped[str] = mapped_column(unique=True)
    base_url: Mapped[str | None]
    api_key: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Dataset(Base):
    __tablename__ = "datasets"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    items: Mapped[list[DatasetItem]] = relationship(order_by="DatasetItem.position")


class DatasetItem(Base):
    """One question of a dataset, with the answer that counts as correct."""

    __tablename__ = "dataset_items"

    dataset_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    prompt: Mapped[str]
    expected: Mapped[str]


class Run(Base):
    """One evaluation of a model on a dataset.

    `attempts` is also the fencing token of a claim: who claimed an earlier attempt may not write
    any more. `dispatch_at` is when the dispatcher may next hand the run to a worker; whoever takes
    a run on moves it. `last_seq` numbers the run's events.
    """

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint(f"state IN ({_STATES})", name="state"),
        Index(
            "ix_runs_dispatch_at", "dispatch_at", postgresql_where=text("dispatch_at IS NOT NULL")
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    dataset_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("datasets.id"))
    provider_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("providers.id"))
    model: Mapped[str]
    state: Mapped[str] = mapped_column(default=RunState.QUEUED.value)
    attempts: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int]
    error: Mapped[dict[str, Any] | None]
    score: Mapped[float | None]
    last_seq: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    dispatch_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    dataset: Mapped[Dataset] = relationship()
    provider: Mapped[Provider] = relationship()
    items: Mapped[list[RunItem]] = relationship(order_by="RunItem.position")


class RunItem(Base):
    """One question as this run asks it; `answer` is null until it was answered."""

    __tablename__ = "run_items"

    run_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    prompt: Mapped[str]
    expected: Mapped[str]
    answer: Mapped[str | None]
    correct: Mapped[bool | None]
    attempt: Mapped[int | None]
    scored_at: Mapped[datetime | None]


class RunEvent(Base):
    """The audit trail: everything that happened to a run, numbered from 1 without a gap."""

    __tablename__ = "run_events"

    run_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    type: Mapped[str]
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
