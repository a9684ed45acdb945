"""Questions to a person: who may answer, and what follows."""

from __future__ import annotations

from typing import Any

import fastjsonschema
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from automation.models import Execution, Inquiry
from automation.records import NotAllowedError, end_inquiry, lock, move, now_of
from automation.states import ExecutionState, InquiryState


class NotAssignedError(Exception):
    """Somebody else was asked."""


class UnfitError(Exception):
    """A value does not fit its schema."""


def check(value: Any, schema: dict[str, Any]) -> None:
    """Make sure that a value fits a schema.

    Raises:
        UnfitError: If it doesn't.
    """
    try:
        fastjsonschema.validate(schema, value)
    except fastjsonschema.JsonSchemaException as error:
        raise UnfitError(str(error)) from error


async def inquiry_of(session: AsyncSession, execution_id: int) -> Inquiry:
    """The question of an execution, whose row is locked."""
    found = await session.scalars(
        select(Inquiry)
        .where(Inquiry.execution == execution_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return found.one()


async def respond(
    session: AsyncSession, inquiry_id: int, user: int, response: dict[str, Any]
) -> Inquiry | None:
    """Answer a question, and let its execution go on; None if there is no such question.

    Raises:
        NotAssignedError: If somebody else was asked.
        NotAllowedError: If it was answered already, or is over.
        UnfitError: If the answer does not fit the question.
    """
    found = await session.get(Inquiry, inquiry_id)
    if found is None:
        return None
    execution = await lock(session, Execution, found.execution)
    inquiry = await inquiry_of(session, found.execution)
    if inquiry.assigned_to is not None and inquiry.assigned_to != user:
        raise NotAssignedError(f"inquiry {inquiry_id} is assigned to another user")
    if execution is None or inquiry.status != InquiryState.PENDING:
        raise NotAllowedError(f"inquiry {inquiry_id} is {inquiry.status}")
    check(response, inquiry.response_schema)
    inquiry.response = response
    inquiry.responded_at = await now_of(session)
    end_inquiry(session, inquiry, InquiryState.RESPONDED)
    await move(session, execution, ExecutionState.COMPLETED, {"response": response})
    return inquiry
