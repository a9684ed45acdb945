"""What a worker may write: that it lives, that it begins, and how it ended; nothing else."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from automation.executor.lost import abandon
from automation.models import Action, Execution, Key, Worker
from automation.records import lock, move
from automation.security import decrypt
from automation.settings import settings
from automation.states import ExecutionState, WorkerState

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claim:
    """An execution that this worker runs, and nobody else.

    Attributes:
        execution: Its id.
        pack_ref: The pack whose virtualenv runs it.
        entry_point: The program, inside the pack.
        timeout: Seconds that it may take.
        env_vars: Its environment, beside the few variables that each action has.
        secrets: What only its standard input tells.
        told: What its standard input tells besides.
    """

    execution: int
    pack_ref: str
    entry_point: str
    timeout: float
    env_vars: dict[str, str]
    secrets: dict[str, str]
    told: dict[str, Any]


async def enlist(session: AsyncSession, life: str) -> None:
    """Begin a new life; what a former one had begun is abandoned."""
    name = settings().name
    now = func.clock_timestamp()
    values = {
        "session": life,
        "status": WorkerState.ACTIVE.value,
        "slots": settings().slots,
        "heartbeat": now,
    }
    await session.execute(
        insert(Worker)
        .values(name=name, **values)
        .on_conflict_do_update(index_elements=[Worker.name], set_=values)
    )
    await abandon(session, name, f"worker {name} was restarted", life)


async def beat(session: AsyncSession, life: str, busy: int) -> bool:
    """Say that the worker lives; False if another life has its name."""
    state = WorkerState.BUSY if busy >= settings().slots else WorkerState.ACTIVE
    done = await session.execute(
        update(Worker)
        .where(Worker.name == settings().name, Worker.session == life)
        .values(heartbeat=func.clock_timestamp(), status=state.value)
        .returning(Worker.name)
    )
    return done.first() is not None


async def retire(session: AsyncSession, life: str) -> None:
    """Say that the worker takes nothing more; its last executions are abandoned."""
    name = settings().name
    await session.execute(
        update(Worker)
        .where(Worker.name == name, Worker.session == life)
        .values(status=WorkerState.INACTIVE.value)
    )
    await abandon(session, name, f"worker {name} was stopped")


async def claim(session: AsyncSession, life: str, execution_id: int, turn: int) -> Claim | None:
    """Begin an execution; None if it is not this worker's to begin (any more)."""
    execution = await lock(session, Execution, execution_id)
    mine = (settings().name, turn)
    if execution is None or (execution.worker, execution.turn) != mine:
        return None
    if execution.status == ExecutionState.SCHEDULED:
        execution.worker_session = life
        await move(session, execution, ExecutionState.RUNNING)
    elif (execution.status, execution.worker_session) != (ExecutionState.RUNNING, life):
        return None  # else it was begun here, and the answer of the database was lost
    action = await session.get_one(Action, execution.action_ref)
    keys = await session.scalars(select(Key).where(Key.ref.in_(action.secrets)))
    return Claim(
        execution=execution.id,
        pack_ref=action.pack_ref,
        entry_point=action.entry_point or "",
        timeout=action.timeout,
        env_vars=execution.env_vars,
        secrets={key.ref: decrypt(key.encrypted) for key in keys.all()},
        told={
            "parameters": execution.parameters,
            "context": {"execution": execution.id, "retry_count": execution.retry_count},
        },
    )


async def is_unwanted(session: AsyncSession, execution_id: int) -> bool:
    """Whether an execution is to be cancelled."""
    found = await session.scalar(select(Execution.status).where(Execution.id == execution_id))
    return found == ExecutionState.CANCELING


async def end(
    session: AsyncSession,
    life: str,
    execution_id: int,
    state: ExecutionState,
    result: dict[str, Any],
) -> bool:
    """Write down how an execution has ended; False if that was decided without this worker."""
    execution = await lock(session, Execution, execution_id)
    if execution is None or execution.worker_session != life:
        return False
    if execution.status not in {ExecutionState.RUNNING, ExecutionState.CANCELING}:
        return False
    if state is ExecutionState.CANCELLED and execution.status == ExecutionState.RUNNING:
        return False
    await move(session, execution, state, result)
    return True
