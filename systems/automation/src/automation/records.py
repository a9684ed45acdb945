"""Each change of a state: the row, the audit trail, the notification and the message, all at once.

All of it is one transaction. The relay tells the broker afterwards, so nothing is told that did
not happen, and nothing that happened stays untold.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from automation.models import (
    Base,
    Enforcement,
    Event,
    Execution,
    History,
    Inquiry,
    Message,
    Notification,
)
from automation.states import ENDED, NEXT, EnforcementState, ExecutionState, InquiryState

Row = TypeVar("Row", bound=Base)

EVENTS = "events"
EXECUTIONS = "executions"


class NotAllowedError(Exception):
    """A state can't follow the present one."""


async def now_of(session: AsyncSession) -> datetime:
    """The database's time, the only clock that counts."""
    now: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return now


async def lock(session: AsyncSession, table: type[Row], key: int) -> Row | None:
    """A row, which nobody else changes until the transaction ends."""
    return await session.get(
        table, key, with_for_update={"key_share": True}, populate_existing=True
    )


def tell(session: AsyncSession, exchange: str, routing_key: str, **body: Any) -> None:
    """Leave a message for the broker."""
    session.add(Message(exchange=exchange, routing_key=routing_key, body=body))
    session.info["has_told"] = True


async def add_execution(session: AsyncSession, execution: Execution) -> Execution:
    """Request an execution."""
    session.add(execution)
    await session.flush()
    _note(session, "execution", execution.id, execution.status)
    _notify(session, "execution_created", execution, _about(execution))
    tell(session, EXECUTIONS, "execution.requested", execution=execution.id)
    return execution


async def move(
    session: AsyncSession,
    execution: Execution,
    state: ExecutionState,
    result: dict[str, Any] | None = None,
) -> None:
    """Bring an execution, whose row is locked, into its next state.

    Raises:
        NotAllowedError: If the state can't follow the present one.
    """
    before = ExecutionState(execution.status)
    if state not in NEXT[before]:
        raise NotAllowedError(f"execution {execution.id} is {before}: it can't become {state}")
    execution.status = state.value
    if state is ExecutionState.RUNNING:
        execution.started_at = await now_of(session)
    if state in ENDED:
        execution.result = result
        execution.ended_at = await now_of(session)
        tell(session, EXECUTIONS, "execution.ended", execution=execution.id)
    _note(session, "execution", execution.id, state, execution.worker)
    payload = {**_about(execution), "previous": before.value}
    _notify(session, "execution_status_changed", execution, payload)


async def add_event(session: AsyncSession, event: Event) -> None:
    """Write down an event."""
    session.add(event)
    await session.flush()
    _notify(session, "event_created", event, {"trigger_ref": event.trigger_ref})
    tell(session, EVENTS, "event.created", event=event.id)


async def add_enforcement(session: AsyncSession, enforcement: Enforcement) -> None:
    """Write down that a rule applies."""
    session.add(enforcement)
    await session.flush()
    _note(session, "enforcement", enforcement.id, enforcement.status)
    payload = {"rule_ref": enforcement.rule_ref, "event": enforcement.event_id}
    _notify(session, "enforcement_created", enforcement, payload)
    tell(session, EVENTS, "enforcement.created", enforcement=enforcement.id)


def end_enforcement(
    session: AsyncSession, enforcement: Enforcement, state: EnforcementState
) -> None:
    """Say what became of an enforcement."""
    enforcement.status = state.value
    _note(session, "enforcement", enforcement.id, state)


async def add_inquiry(session: AsyncSession, inquiry: Inquiry) -> None:
    """Ask a person."""
    session.add(inquiry)
    await session.flush()
    _note(session, "inquiry", inquiry.id, inquiry.status)
    _notify(session, "inquiry_created", inquiry, {"execution": inquiry.execution})


def end_inquiry(session: AsyncSession, inquiry: Inquiry, state: InquiryState) -> None:
    """Say what became of an inquiry."""
    inquiry.status = state.value
    _note(session, "inquiry", inquiry.id, state)
    kind = f"inquiry_{state.value}"
    _notify(session, kind, inquiry, {"execution": inquiry.execution, "status": state.value})


def _about(execution: Execution) -> dict[str, Any]:
    return {
        "status": execution.status,
        "action_ref": execution.action_ref,
        "parent": execution.parent,
        "enforcement": execution.enforcement,
        "retry_count": execution.retry_count,
    }


def _note(
    session: AsyncSession, kind: str, entity: int, status: str, worker: str | None = None
) -> None:
    session.add(History(entity_type=kind, entity_id=entity, status=str(status), worker=worker))


def _notify(
    session: AsyncSession,
    kind: str,
    thing: Execution | Event | Enforcement | Inquiry,
    payload: dict[str, Any],
) -> None:
    user = getattr(thing, "user_id", getattr(thing, "assigned_to", None))
    session.add(
        Notification(
            notification_type=kind,
            entity_type=type(thing).__name__.lower(),
            entity_id=thing.id,
            user_id=user,
            payload=payload,
        )
    )
    session.info["has_told"] = True
