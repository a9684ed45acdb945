"""What the services that answer nobody have in common: a name, signals, and tasks that go on."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from automation import database
from automation.outbox import Relay
from automation.settings import settings

log = logging.getLogger(__name__)

Tasks = list[Coroutine[Any, Any, None]]


def set_up_log() -> None:
    """Write to standard error, from the level of the settings on."""
    logging.basicConfig(level=settings().log_level, format="%(levelname)s %(name)s: %(message)s")
    # What they find wrong is an exception as well, which is told once.
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
    logging.getLogger("aio_pika").setLevel(logging.CRITICAL)


async def run(tasks: Tasks, ended: Callable[[], Awaitable[None]] | None = None) -> None:
    """Wait for the tables and do the tasks until SIGTERM; any task that ends is a defect.

    `ended` is called at SIGTERM, before the tasks are cancelled.
    """
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    running = [asyncio.ensure_future(task) for task in (*tasks, Relay().run())]
    until = asyncio.ensure_future(ending.wait())
    done, _ = await asyncio.wait([until, *running], return_when=asyncio.FIRST_COMPLETED)
    if until in done and ended is not None:
        await ended()
    for task in (until, *running):
        task.cancel()
    await asyncio.gather(until, *running, return_exceptions=True)
    await database.engine().dispose()
    log.info("%s has ended", settings().name)
    for task in done:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
