"""What the service is told by its environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

T = TypeVar("T")


class SettingsError(Exception):
    """An environment variable is missing or can't be read."""


@dataclass(frozen=True)
class Settings:
    """All settings; times are in seconds.

    Attributes:
        database_url: SQLAlchemy URL of PostgreSQL.
        redis_url: Broker of the task queue.
        log_level: Level of the service's own log.
        max_attempts: How often a run is attempted before it fails for good.
        retry_delay: Time between the first failed attempt and the second; doubles each time.
        dispatch_interval: How often the dispatcher looks for runs that are due.
        lease: How long a worker may stay silent before others may take over its run.
        provider_timeout: Time limit of one request to a provider.
        database_patience: How long a worker waits for a database that is away.
        event_poll: How often an event stream looks for news.
    """

    database_url: str
    redis_url: str
    log_level: str
    max_attempts: int
    retry_delay: float
    dispatch_interval: float
    lease: float
    provider_timeout: float
    database_patience: float
    event_poll: float


@cache
def settings() -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: If a variable is missing or malformed.
    """
    return Settings(
        database_url=_required("DATABASE_URL"),
        redis_url=_required("REDIS_URL"),
        log_level=_optional("LOG_LEVEL", "info", str.upper),
        max_attempts=_optional("MAX_ATTEMPTS", "3", int),
        retry_delay=_optional("RETRY_DELAY_SECONDS", "15", float),
        dispatch_interval=_optional("DISPATCH_INTERVAL_SECONDS", "5", float),
        lease=_optional("LEASE_SECONDS", "60", float),
        provider_timeout=_optional("PROVIDER_TIMEOUT_SECONDS", "20", float),
        database_patience=_optional("DATABASE_PATIENCE_SECONDS", "60", float),
        event_poll=_optional("EVENT_POLL_SECONDS", "0.1", float),
    )


def _required(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise SettingsError(f"the environment variable {name} is not set")
    return value


def _optional(name: str, default: str, read: Callable[[str], T]) -> T:
    text = os.environ.get(name) or default
    try:
        return read(text)
    except ValueError as error:
        raise SettingsError(f"the environment variable {name} is malformed: {error}") from error
