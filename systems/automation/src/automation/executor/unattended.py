"""Executions that need no worker: workflows, and questions to a person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from automation.models import Action, Execution, Inquiry, User
from automation.records import add_execution, add_inquiry, move, now_of
from automation.states import ENDED, ExecutionState
from automation.templates import UnknownReferenceError, fill

INQUIRY = "inquiry"


async def begin(session: AsyncSession, execution: Execution, action: Action) -> None:
    """Begin a workflow or a question, whose row is locked."""
    await move(session, execution, ExecutionState.RUNNING)
    if action.runner == INQUIRY:
        await _ask(session, execution)
    else:
        await next_task(session, execution, action)


async def _ask(session: AsyncSession, execution: Execution) -> None:
    told = execution.parameters
    user = await session.scalar(select(User.id).where(User.login == told.get("assigned_to")))
    if told.get("assigned_to") is not None and user is None:
        await fail(session, execution, "unknown_user", f"there is no user {told['assigned_to']}")
        return
    timeout = told.get("timeout")
    until = await now_of(session) + timedelta(seconds=timeout) if timeout else None
    inquiry = Inquiry(
        execution=execution.id,
        prompt=told["prompt"],
        response_schema=told.get("response_schema", {"type": "object"}),
        assigned_to=user,
        timeout_at=until,
    )
    await add_inquiry(session, inquiry)


async def next_task(session: AsyncSession, parent: Execution, action: Action) -> None:
    """Request the next task of a workflow, or end the workflow after its last one."""
    done = parent.context.get("done", [])
    if len(done) == len(action.tasks):
        output = {"published": parent.context.get("published", {}), "tasks": done}
        await move(session, parent, ExecutionState.COMPLETED, output)
        return
    task = action.tasks[len(done)]
    called = await session.get(Action, task["action"])
    if called is None:
        await fail(session, parent, "unknown_action", f"there is no action {task['action']}")
        return
    try:
        parameters = fill(task.get("input", {}), names_in(parent))
    except UnknownReferenceError as error:
        await fail(session, parent, "unknown_reference", f"{task['name']}: {error}")
        return
    child = Execution(
        action_ref=called.ref,
        parameters=parameters,
        env_vars=parent.env_vars,
        user_id=parent.user_id,
        parent=parent.id,
        workflow_task=task["name"],
        max_retries=called.max_retries,
    )
    await add_execution(session, child)


def names_in(parent: Execution, **more: Any) -> dict[str, Any]:
    """What the templates of a workflow see: its parameters and what tasks have published."""
    published = parent.context.get("published", {})
    return {"parameters": parent.parameters, "vars": published, **more}


async def fail(session: AsyncSession, execution: Execution, kind: str, message: str) -> None:
    """End an execution with an error of the service itself."""
    result = {"error": {"type": kind, "message": message}}
    await move(session, execution, ExecutionState.FAILED, result)


async def active_children(session: AsyncSession, parent: Execution) -> list[int]:
    """Ids of the tasks of a workflow that have not ended."""
    found = await session.scalars(
        select(Execution.id).where(Execution.parent == parent.id, Execution.status.not_in(ENDED))
    )
    return list(found.all())
