"""The database connection: one engine a process, one session a transaction."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from runs.settings import settings

T = TypeVar("T")

log = logging.getLogger(__name__)

AWAY = (OperationalError, InterfaceError)
PAUSE = 0.2


@cache
def engine() -> Engine:
    """The engine of this process; connects when it is first used."""
    return create_engine(
        settings().database_url,
        pool_size=5,
        max_overflow=10,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 5},
    )


@cache
def sessions() -> sessionmaker[Session]:
    """Makes sessions whose objects stay readable after the commit."""
    return sessionmaker(engine(), expire_on_commit=False)


def forget_connections() -> None:
    """Drop the connections that a forked child got from its parent, without closing them."""
    engine().dispose(close=False)


def patiently(step: Callable[[Session], T]) -> T:
    """Do a step in a transaction of its own, again if the database goes away meanwhile.

    The step must bear being repeated: the answer to a commit can get lost.

    Raises:
        OperationalError: If the database stays away for longer than the settings allow.
    """
    give_up_at = time.monotonic() + settings().database_patience
    while True:
        try:
            with sessions().begin() as session:
                return step(session)
        except AWAY as error:
            if time.monotonic() >= give_up_at:
                raise
            log.warning("database is away, trying again: %s", error.orig)
            time.sleep(PAUSE)
