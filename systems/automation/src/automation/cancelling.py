"""Ends an execution that nobody wants any more."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from automation.inquiries import inquiry_of
from automation.models import Action, Execution
from automation.records import EXECUTIONS, end_inquiry, lock, move, tell
from automation.states import ExecutionState, InquiryState


async def cancel(session: AsyncSession, execution_id: int) -> Execution | None:
    """Cancel an execution; one that runs is `canceling` until all of it has ended.

    Returns:
        The execution; None if there is none.

    Raises:
        NotAllowedError: If it has ended already.
    """
    execution = await lock(session, Execution, execution_id)
    if execution is None:
        return None
    if execution.status == ExecutionState.CANCELING:
        return execution
    if execution.status != ExecutionState.RUNNING:
        await move(session, execution, ExecutionState.CANCELLED)
        return execution
    action = await session.get_one(Action, execution.action_ref)
    await move(session, execution, ExecutionState.CANCELING)
    if action.runner == "inquiry":
        end_inquiry(session, await inquiry_of(session, execution.id), InquiryState.CANCELLED)
        await move(session, execution, ExecutionState.CANCELLED)
    else:
        key = "execution.cancel" if action.runner == "workflow" else f"control.{execution.worker}"
        tell(session, EXECUTIONS, key, execution=execution.id)
    return execution
