"""Which requested execution is next, and which worker gets it."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from automation.executor.unattended import begin
from automation.models import Action, Execution, Worker
from automation.records import EXECUTIONS, move, now_of, tell
from automation.settings import settings
from automation.states import ACTIVE, ExecutionState, WorkerState

log = logging.getLogger(__name__)

ONE_AT_A_TIME = 7_112_028
"""Key of the advisory lock: limits hold only if nobody else schedules meanwhile."""
PYTHON = "python"


@dataclass
class Room:
    """What can still be begun.

    Attributes:
        by_action: Active executions of each action.
        by_worker: Free slots of each living worker.
        left: How many more executions workers may have, all together.
    """

    by_action: Counter[str]
    by_worker: dict[str, int]
    left: int

    def choose(self) -> str | None:
        """The worker with the most free slots; None if no one has any."""
        free = [name for name, slots in sorted(self.by_worker.items()) if slots > 0]
        if self.left <= 0 or not free:
            return None
        return max(free, key=lambda name: self.by_worker[name])

    def take(self, worker: str) -> None:
        """Fill a slot."""
        self.by_worker[worker] -= 1
        self.left -= 1


async def take_turn(session: AsyncSession) -> None:
    """Keep everybody else from scheduling until the transaction ends."""
    await session.execute(select(func.pg_advisory_xact_lock(ONE_AT_A_TIME)))


async def schedule(session: AsyncSession) -> None:
    """Bring on its way what can begin, in the order of requests."""
    await take_turn(session)
    now = await now_of(session)
    waiting = await session.scalars(
        select(Execution)
        .where(
            Execution.status == ExecutionState.REQUESTED,
            or_(Execution.not_before.is_(None), Execution.not_before <= now),
        )
        .order_by(Execution.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    requested = waiting.all()
    if not requested:
        return
    room = await _room(session)
    for execution in requested:
        await _begin(session, execution, room)


async def _begin(session: AsyncSession, execution: Execution, room: Room) -> None:
    action = await session.get_one(Action, execution.action_ref)
    if action.limit is not None and room.by_action[action.ref] >= action.limit:
        if action.policy == "cancel":
            why = f"{action.limit} of {action.ref} are active, and its policy is to cancel"
            result = {"error": {"type": "concurrency_limit", "message": why}}
            await move(session, execution, ExecutionState.CANCELLED, result)
        return
    if action.runner != PYTHON:
        room.by_action[action.ref] += 1
        await move(session, execution, ExecutionState.SCHEDULING)
        await begin(session, execution, action)
        return
    worker = room.choose()
    if worker is None:
        return
    room.by_action[action.ref] += 1
    room.take(worker)
    await assign(session, execution, worker)


async def assign(session: AsyncSession, execution: Execution, worker: str) -> None:
    """Send an execution to a worker."""
    await move(session, execution, ExecutionState.SCHEDULING)
    execution.worker = worker
    execution.turn += 1
    await move(session, execution, ExecutionState.SCHEDULED)
    body = {"execution": execution.id, "turn": execution.turn}
    tell(session, EXECUTIONS, f"worker.{worker}", **body)


async def reassign(session: AsyncSession, execution: Execution) -> bool:
    """Send an execution, whose worker is lost, to another one; tells if it could."""
    worker = (await _room(session)).choose()
    if worker is None:
        return False
    await assign(session, execution, worker)
    return True


async def _room(session: AsyncSession) -> Room:
    active = await session.execute(
        select(Execution.action_ref, Action.runner, Execution.worker, func.count())
        .join(Action, Action.ref == Execution.action_ref)
        .where(Execution.status.in_(ACTIVE))
        .group_by(Execution.action_ref, Action.runner, Execution.worker)
    )
    by_action: Counter[str] = Counter()
    used: Counter[str | None] = Counter()
    for ref, runner, worker, count in active.all():
        by_action[ref] += count
        if runner == PYTHON:
            used[worker] += count
    return Room(by_action, await _slots(session, used), settings().max_concurrent - used.total())


async def _slots(session: AsyncSession, used: Counter[str | None]) -> dict[str, int]:
    alive_since = await now_of(session) - timedelta(seconds=settings().lost_after)
    workers = await session.scalars(
        select(Worker).where(
            Worker.status.in_([WorkerState.ACTIVE, WorkerState.BUSY]),
            Worker.heartbeat >= alive_since,
        )
    )
    return {worker.name: worker.slots - used[worker.name] for worker in workers.all()}
