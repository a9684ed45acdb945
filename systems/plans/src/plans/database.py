"""The database connection: one engine a process, one session a transaction."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from plans.settings import settings

T = TypeVar("T")

log = logging.getLogger(__name__)

AWAY = (OperationalError, InterfaceError, InternalError)
"""What a lost connection raises; the last one where the server has ended an idle transaction."""
PAUSE = 0.2
LONGEST_IDLE_TRANSACTION = 2000
"""Milliseconds: a process that is frozen in a transaction must not keep its locks."""


@cache
def engine() -> Engine:
    """The engine of this process; connects when it is first used."""
    return create_engine(
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
def sessions() -> sessionmaker[Session]:
    """Makes sessions whose objects stay readable after the commit."""
    return sessionmaker(engine(), expire_on_commit=False)


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
            log.warning("the database is away, trying again: %s", error.orig)
            time.sleep(PAUSE)
