"""The executor: `python -m automation.executor`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from sqlalchemy.ext.asyncio import AsyncSession

from automation import broker, service
from automation.broker import Body, Consumer
from automation.cancelling import cancel
from automation.database import patiently, wait_for_tables
from automation.executor import endings, lost, rules, scheduling
from automation.executor.unattended import active_children
from automation.models import Execution
from automation.records import NotAllowedError, lock, now_of
from automation.settings import settings
from automation.states import ExecutionState

log = logging.getLogger(__name__)

SHORTEST_PAUSE = 0.02


async def on_event(body: Body) -> None:
    await patiently(rules.handle_event, body["event"])


async def on_enforcement(body: Body) -> None:
    await patiently(rules.handle_enforcement, body["enforcement"])


async def on_request(_: Body) -> None:
    await patiently(scheduling.schedule)


async def on_end(body: Body) -> None:
    await patiently(endings.settle, body["execution"])
    await patiently(scheduling.schedule)


async def on_cancellation(body: Body) -> None:
    """Cancel the tasks of a workflow, and the workflow itself if there are none."""
    parent = body["execution"]
    for child in await patiently(_active_children, parent):
        with suppress(NotAllowedError):  # it has ended meanwhile
            await patiently(cancel, child)
    await patiently(_cancel_if_idle, parent)


async def on_dead_letter(body: Body) -> None:
    log.warning("a dead letter: %s", body)
    if "execution" in body:
        await patiently(lost.bury, body["execution"], body.get("turn"))


async def _active_children(session: AsyncSession, parent: int) -> list[int]:
    execution = await lock(session, Execution, parent)
    return await active_children(session, execution) if execution else []


async def _cancel_if_idle(session: AsyncSession, parent: int) -> None:
    execution = await lock(session, Execution, parent)
    if execution is not None and execution.status == ExecutionState.CANCELING:
        await endings.cancel_if_idle(session, execution)


async def look() -> None:
    """See to all that no message tells."""
    for step in (lost.end_lost_workers, lost.end_inquiries, lost.move_on, scheduling.schedule):
        await patiently(step)
    behind = await patiently(lost.left_behind)
    handlers: dict[str, Callable[[AsyncSession, int], Awaitable[None]]] = {
        "events": rules.handle_event,
        "enforcements": rules.handle_enforcement,
        "ended": endings.settle,
    }
    for kind, ids in behind.items():
        for one in ids:
            log.info("left behind among %s: %d", kind, one)
            await patiently(handlers[kind], one)


async def keep_looking() -> None:
    """Look at each poll, and when the next retry or question is due."""
    while True:
        try:
            await look()
        except Exception:
            log.exception("a look has failed")
        await asyncio.sleep(await patiently(_pause))


async def _pause(session: AsyncSession) -> float:
    due = await lost.next_due(session)
    if due is None:
        return settings().poll
    left = (due - await now_of(session)).total_seconds()
    return min(max(left, SHORTEST_PAUSE), settings().poll) if left > 0 else settings().poll


async def main() -> None:
    """Execute until SIGTERM."""
    service.set_up_log()
    await wait_for_tables()
    handlers = {
        "executor.events": on_event,
        "executor.enforcements": on_enforcement,
        "executor.requests": on_request,
        "executor.endings": on_end,
        "executor.cancellations": on_cancellation,
        broker.DEAD_LETTER_QUEUE: on_dead_letter,
    }
    consumers = [Consumer(queue, handle) for queue, handle in handlers.items()]

    async def ready() -> None:
        log.info("executor %s is ready", settings().name)

    await service.run([broker.consume(consumers, ready), keep_looking()])


if __name__ == "__main__":
    asyncio.run(main())
