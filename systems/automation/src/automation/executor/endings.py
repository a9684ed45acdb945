"""What follows the end of an execution: a retry, the next task of its workflow, or nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from automation.executor.unattended import active_children, fail, names_in, next_task
from automation.models import Action, Execution
from automation.records import add_execution, lock, move
from automation.states import ENDED, RETRIED, ExecutionState
from automation.templates import UnknownReferenceError, fill


async def settle(session: AsyncSession, execution_id: int) -> None:
    """See to what follows, once; a second time does nothing."""
    execution = await lock(session, Execution, execution_id)
    if execution is None or execution.status not in ENDED or execution.settled:
        return
    parent = await lock(session, Execution, execution.parent) if execution.parent else None
    execution.settled = True
    if await _is_retried(session, execution, parent) or parent is None:
        return
    if parent.status == ExecutionState.CANCELING:
        await cancel_if_idle(session, parent)
    elif parent.status == ExecutionState.RUNNING:
        await _go_on(session, parent, execution)


async def cancel_if_idle(session: AsyncSession, parent: Execution) -> None:
    """End a workflow that is being cancelled, once none of its tasks is active."""
    if not await active_children(session, parent):
        await move(session, parent, ExecutionState.CANCELLED)


async def _is_retried(
    session: AsyncSession, execution: Execution, parent: Execution | None
) -> bool:
    is_wanted = parent is None or parent.status == ExecutionState.RUNNING
    has_left = execution.retry_count < execution.max_retries
    if not (is_wanted and has_left and execution.status in RETRIED):
        return False
    assert execution.ended_at is not None, "it has ended"
    action = await session.get_one(Action, execution.action_ref)
    delay = timedelta(seconds=action.backoff * 2**execution.retry_count)
    retry = Execution(
        action_ref=execution.action_ref,
        parameters=execution.parameters,
        env_vars=execution.env_vars,
        user_id=execution.user_id,
        parent=execution.parent,
        enforcement=execution.enforcement,
        workflow_task=execution.workflow_task,
        retry_count=execution.retry_count + 1,
        max_retries=execution.max_retries,
        retry_reason=_error_of(execution),
        original_execution=execution.original_execution or execution.id,
        not_before=execution.ended_at + delay,
    )
    await add_execution(session, retry)
    return True


def _error_of(execution: Execution) -> str:
    error: dict[str, Any] = (execution.result or {}).get("error", {})
    return f"{execution.status}: {error.get('message', 'no message')}"


async def _go_on(session: AsyncSession, parent: Execution, child: Execution) -> None:
    action = await session.get_one(Action, parent.action_ref)
    if child.status != ExecutionState.COMPLETED:
        message = f"{child.workflow_task} (execution {child.id}) {_error_of(child)}"
        await fail(session, parent, "task_failed", message)
        return
    done = parent.context.get("done", [])
    task = action.tasks[len(done)]
    try:
        found = fill(task.get("publish", {}), names_in(parent, result=child.result))
    except UnknownReferenceError as error:
        await fail(session, parent, "unknown_reference", f"{task['name']}: {error}")
        return
    published = {**parent.context.get("published", {}), **found}
    parent.context = {"done": [*done, task["name"]], "published": published}
    await next_task(session, parent, action)
