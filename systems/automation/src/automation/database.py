"""The database connection: one engine a process, one session a transaction."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, TypeVar

from psycopg.errors import UndefinedTable
from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError, ProgrammingError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from automation.settings import settings

T = TypeVar("T")

log = logging.getLogger(__name__)

AWAY = (OperationalError, InterfaceError, InternalError)
"""What a lost connection raises; the last one where the server has ended an idle transaction."""
PAUSE = 0.2
LONGEST_IDLE_TRANSACTION = 2000
"""Milliseconds: a process that is frozen in a transaction must not keep its locks."""

committed = asyncio.Event()
"""Set after each commit that has left a message or a notification for the relay."""


@cache
def engine() -> AsyncEngine:
    """The engine of this process; connects when it is first used."""
    return create_async_engine(
        settings().database_url,
        pool_size=5,
        max_overflow=10,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 5,
            "options": f"-c idle_in_transaction_session_timeout={LONGEST_IDLE_TRANSACTION}",
        },
    )


@cache
def _sessions() -> async_sessionmaker[AsyncSession]:
    return async_sessionmaker(engine(), expire_on_commit=False)


@asynccontextmanager
async def transaction() -> AsyncIterator[AsyncSession]:
    """A transaction; wakes the relay where it has left something to be told."""
    async with _sessions().begin() as session:
        yield session
    if session.info.get("has_told"):
        committed.set()


async def patiently(step: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    """Do a step in a transaction of its own, again if the database goes away meanwhile.

    The step must bear being repeated: the answer to a commit can get lost.

    Raises:
        OperationalError: If the database stays away for longer than the settings allow.
    """
    give_up_at = time.monotonic() + settings().database_patience
    while True:
        try:
            async with transaction() as session:
                return await step(session, *arguments)
        except AWAY as error:
            if time.monotonic() >= give_up_at:
                raise
            log.warning("the database is away, trying again: %s", error.orig)
            await asyncio.sleep(PAUSE)


async def wait_for_tables() -> None:
    """Wait for the database and its migrations."""
    is_told = False
    while True:
        try:
            async with transaction() as session:
                await session.execute(text("SELECT 1 FROM executions LIMIT 1"))
        except AWAY as error:
            log.warning("the database is away: %s", error.orig)
        except ProgrammingError as error:
            if not isinstance(error.orig, UndefinedTable):
                raise
            if not is_told:
                log.warning("the database has no tables yet: alembic upgrade head")
            is_told = True
        else:
            return
        await asyncio.sleep(PAUSE)
