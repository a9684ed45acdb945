"""The tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from automation.states import EnforcementState, ExecutionState, InquiryState, SensorState


def _among(column: str, states: type[Any]) -> CheckConstraint:
    names = ", ".join(f"'{state.value}'" for state in states)
    return CheckConstraint(f"{column} IN ({names})", name=column)


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
        int: BigInteger,
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(none_as_null=True),
    }


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]


class Key(Base):
    """A secret, encrypted."""

    __tablename__ = "keys"

    ref: Mapped[str] = mapped_column(primary_key=True)
    encrypted: Mapped[str]


class Pack(Base):
    """A pack as it was uploaded; `digest` names its content."""

    __tablename__ = "packs"

    ref: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str]
    runtime: Mapped[str]
    dependencies: Mapped[list[Any]] = mapped_column(JSONB)
    digest: Mapped[str]
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)


class Action(Base):
    """What can be executed: a program of a pack, a workflow, or a question to a person."""

    __tablename__ = "actions"

    ref: Mapped[str] = mapped_column(primary_key=True)
    pack_ref: Mapped[str] = mapped_column(ForeignKey("packs.ref"))
    runner: Mapped[str]
    entry_point: Mapped[str | None]
    schema: Mapped[dict[str, Any]]
    tasks: Mapped[list[Any]] = mapped_column(JSONB)
    secrets: Mapped[list[Any]] = mapped_column(JSONB)
    limit: Mapped[int | None]
    policy: Mapped[str]
    max_retries: Mapped[int]
    backoff: Mapped[float]
    timeout: Mapped[float]


class Trigger(Base):
    __tablename__ = "triggers"

    ref: Mapped[str] = mapped_column(primary_key=True)
    pack_ref: Mapped[str | None] = mapped_column(ForeignKey("packs.ref"))


class Sensor(Base):
    """A program of a pack that tells events of a trigger."""

    __tablename__ = "sensors"
    __table_args__ = (_among("status", SensorState),)

    ref: Mapped[str] = mapped_column(primary_key=True)
    pack_ref: Mapped[str] = mapped_column(ForeignKey("packs.ref"))
    trigger_ref: Mapped[str] = mapped_column(ForeignKey("triggers.ref"))
    entry_point: Mapped[str]
    enabled: Mapped[bool]
    status: Mapped[str]


class Rule(Base):
    __tablename__ = "rules"

    ref: Mapped[str] = mapped_column(primary_key=True)
    pack_ref: Mapped[str] = mapped_column(ForeignKey("packs.ref"))
    trigger_ref: Mapped[str] = mapped_column(ForeignKey("triggers.ref"))
    action_ref: Mapped[str] = mapped_column(ForeignKey("actions.ref"))
    conditions: Mapped[dict[str, Any]]
    action_params: Mapped[dict[str, Any]]
    trigger_params: Mapped[dict[str, Any]]
    enabled: Mapped[bool]


class Event(Base):
    """What a trigger has told; `key` makes sure that it is told once."""

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_open", "id", postgresql_where=text("handled_at IS NULL")),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    trigger_ref: Mapped[str] = mapped_column(ForeignKey("triggers.ref"))
    trigger_params: Mapped[dict[str, Any]]
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    handled_at: Mapped[datetime | None]


class Enforcement(Base):
    """That a rule applies to an event."""

    __tablename__ = "enforcements"
    __table_args__ = (UniqueConstraint("rule_ref", "event_id"), _among("status", EnforcementState))

    id: Mapped[int] = mapped_column(primary_key=True)
    rule_ref: Mapped[str]
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"))
    status: Mapped[str] = mapped_column(default=EnforcementState.CREATED.value)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Execution(Base):
    """One run of an action; a retry is a new one.

    `turn` grows each time that a worker is chosen: a message of an older turn counts no more.
    `worker_session` names the life of the worker that runs it: nobody else may write its result.
    `settled` says that retries and the parent have been seen to.
    """

    __tablename__ = "executions"
    __table_args__ = (
        _among("status", ExecutionState),
        UniqueConstraint("enforcement", "retry_count"),
        UniqueConstraint("parent", "workflow_task", "retry_count"),
        UniqueConstraint("original_execution", "retry_count"),
        Index("ix_executions_status", "status"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    action_ref: Mapped[str] = mapped_column(ForeignKey("actions.ref"))
    parameters: Mapped[dict[str, Any]]
    env_vars: Mapped[dict[str, Any]]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    parent: Mapped[int | None] = mapped_column(ForeignKey("executions.id"))
    enforcement: Mapped[int | None] = mapped_column(ForeignKey("enforcements.id"))
    status: Mapped[str] = mapped_column(default=ExecutionState.REQUESTED.value)
    result: Mapped[dict[str, Any] | None]
    context: Mapped[dict[str, Any]] = mapped_column(default=dict)
    workflow_task: Mapped[str | None]
    retry_count: Mapped[int] = mapped_column(default=0)
    max_retries: Mapped[int]
    retry_reason: Mapped[str | None]
    original_execution: Mapped[int | None] = mapped_column(ForeignKey("executions.id"))
    not_before: Mapped[datetime | None]
    worker: Mapped[str | None]
    worker_session: Mapped[str | None]
    turn: Mapped[int] = mapped_column(default=0)
    settled: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class Inquiry(Base):
    __tablename__ = "inquiries"
    __table_args__ = (_among("status", InquiryState),)

    id: Mapped[int] = mapped_column(primary_key=True)
    execution: Mapped[int] = mapped_column(ForeignKey("executions.id"), unique=True)
    prompt: Mapped[str]
    response_schema: Mapped[dict[str, Any]]
    assigned_to: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    status: Mapped[str] = mapped_column(default=InquiryState.PENDING.value)
    response: Mapped[dict[str, Any] | None]
    timeout_at: Mapped[datetime | None]
    responded_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Worker(Base):
    """Each worker there has been; `session` names its present life."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(primary_key=True)
    session: Mapped[str]
    status: Mapped[str]
    slots: Mapped[int]
    heartbeat: Mapped[datetime]


class History(Base):
    """The audit trail: each state of each thing, in order."""

    __tablename__ = "history"
    __table_args__ = (Index("ix_history_entity", "entity_type", "entity_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    entity_type: Mapped[str]
    entity_id: Mapped[int]
    status: Mapped[str]
    worker: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Message(Base):
    """The outbox: what the broker is to be told, and since when it knows."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_open", "id", postgresql_where=text("published_at IS NULL")),)

    id: Mapped[int] = mapped_column(primary_key=True)
    exchange: Mapped[str]
    routing_key: Mapped[str]
    body: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    published_at: Mapped[datetime | None]


class Notification(Base):
    """What watchers are told; `position` is its place in the one order of all."""

    __tablename__ = "notifications"
    __table_args__ = (
        Index("ix_notifications_open", "id", postgresql_where=text("position IS NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int | None] = mapped_column(unique=True)
    notification_type: Mapped[str]
    entity_type: Mapped[str]
    entity_id: Mapped[int]
    user_id: Mapped[int | None]
    payload: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
