"""What no message tells: lost workers, dead letters, time that has run out, lost messages."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from automation.executor.scheduling import reassign, take_turn
from automation.inquiries import inquiry_of
from automation.models import Enforcement, Event, Execution, Inquiry, Worker
from automation.records import end_inquiry, lock, move, now_of
from automation.settings import settings
from automation.states import (
    ENDED,
    EnforcementState,
    ExecutionState,
    InquiryState,
    WorkerState,
)

log = logging.getLogger(__name__)

LOOKS = 3
"""How many looks a step may be on its way before its message counts as lost."""


async def bury(session: AsyncSession, execution_id: int, turn: int | None) -> None:
    """Fail an execution whose message is a dead letter, if it still waits for that message."""
    execution = await lock(session, Execution, execution_id)
    if execution is None:
        return
    waits = execution.status == ExecutionState.SCHEDULED and turn == execution.turn
    if waits or (turn is None and execution.status == ExecutionState.REQUESTED):
        where = f"worker {execution.worker}" if waits else "the executor"
        message = f"the message for {where} was not taken in time"
        result = {"error": {"type": "dead_letter", "message": message}}
        await move(session, execution, ExecutionState.FAILED, result)


async def end_lost_workers(session: AsyncSession) -> None:
    """Give up workers that have been silent for too long, and what they had begun."""
    silent_since = await now_of(session) - timedelta(seconds=settings().lost_after)
    lost = await session.scalars(
        select(Worker)
        .where(Worker.status != WorkerState.INACTIVE, Worker.heartbeat < silent_since)
        .with_for_update()
    )
    for worker in lost.all():
        log.warning("worker %s is lost: no heartbeat since %s", worker.name, worker.heartbeat)
        worker.status = WorkerState.INACTIVE.value
        await abandon(session, worker.name, f"worker {worker.name} was lost")


async def abandon(session: AsyncSession, worker: str, why: str, session_now: str = "") -> None:
    """Give up what a worker had begun in a life other than its present one."""
    begun = await session.scalars(
        select(Execution)
        .where(
            Execution.worker == worker,
            Execution.worker_session != session_now,
            Execution.status.in_([ExecutionState.RUNNING, ExecutionState.CANCELING]),
        )
        .order_by(Execution.id)
        .with_for_update(key_share=True)
    )
    for execution in begun.all():
        is_unwanted = execution.status == ExecutionState.CANCELING
        end = ExecutionState.CANCELLED if is_unwanted else ExecutionState.ABANDONED
        await move(session, execution, end, {"error": {"type": "worker_lost", "message": why}})


async def move_on(session: AsyncSession) -> None:
    """Send what waits for a worker that is gone to another one."""
    await take_turn(session)
    stuck = await session.scalars(
        select(Execution)
        .join(Worker, Worker.name == Execution.worker)
        .where(
            Execution.status == ExecutionState.SCHEDULED,
            Worker.status == WorkerState.INACTIVE,
        )
        .order_by(Execution.id)
        .with_for_update(of=Execution, key_share=True)
    )
    for execution in stuck.all():
        if not await reassign(session, execution):
            return


async def end_inquiries(session: AsyncSession) -> None:
    """End the questions that nobody has answered in time."""
    late = await session.scalars(
        select(Inquiry.execution).where(
            Inquiry.status == InquiryState.PENDING, Inquiry.timeout_at <= await now_of(session)
        )
    )
    for execution_id in late.all():
        execution = await lock(session, Execution, execution_id)
        inquiry = await inquiry_of(session, execution_id)
        if execution is not None and inquiry.status == InquiryState.PENDING:
            end_inquiry(session, inquiry, InquiryState.TIMEOUT)
            message = f"nobody has answered: {inquiry.prompt}"
            result = {"error": {"type": "inquiry_timeout", "message": message}}
            await move(session, execution, ExecutionState.TIMEOUT, result)


async def next_due(session: AsyncSession) -> datetime | None:
    """When the next retry may begin, or the next question has been open for too long."""
    retry = await session.scalar(
        select(Execution.not_before)
        .where(Execution.status == ExecutionState.REQUESTED, Execution.not_before.is_not(None))
        .order_by(Execution.not_before)
        .limit(1)
    )
    question = await session.scalar(
        select(Inquiry.timeout_at)
        .where(Inquiry.status == InquiryState.PENDING, Inquiry.timeout_at.is_not(None))
        .order_by(Inquiry.timeout_at)
        .limit(1)
    )
    return min((moment for moment in (retry, question) if moment), default=None)


async def left_behind(session: AsyncSession) -> dict[str, list[int]]:
    """What should be on its way for longer, and may have lost its message."""
    before = await now_of(session) - timedelta(seconds=LOOKS * settings().poll)
    events = select(Event.id).where(Event.handled_at.is_(None), Event.created_at < before)
    enforcements = select(Enforcement.id).where(
        Enforcement.status == EnforcementState.CREATED, Enforcement.created_at < before
    )
    ended = select(Execution.id).where(
        Execution.status.in_(ENDED), ~Execution.settled, Execution.ended_at < before
    )
    return {
        "events": list((await session.scalars(events.order_by(Event.id))).all()),
        "enforcements": list((await session.scalars(enforcements.order_by(Enforcement.id))).all()),
        "ended": list((await session.scalars(ended.order_by(Execution.id))).all()),
    }
