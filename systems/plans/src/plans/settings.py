"""What the service is told by its environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
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
        log_level: Level of the service's own log.
        worker_id: Name of this worker, unlike that of any other.
        poll: How often an idle worker looks for a plan, and an event stream for news.
        lease: How long a worker may stay silent before others may take over its plan.
        inactivity: How long after that a plan fails which nobody takes over.
        max_losses: How often a plan's worker may be lost, without progress, before it fails.
        database_patience: How long a worker waits for a database that is away.
        longest_call: Upper bound of the time limits of all steps.
        retry_delay: Time before the second try of a model call; doubles each time.
        download_secret: Key of the download links.
        download_lifetime: How long a download link can be used.
        public_url: Base of the links; empty takes what the client has asked.
        heartbeat: How often a quiet event stream says that it is alive.
    """

    database_url: str = field(repr=False)
    log_level: str
    worker_id: str
    poll: float
    lease: float
    inactivity: float
    max_losses: int
    database_patience: float
    longest_call: float
    retry_delay: float
    download_secret: str = field(repr=False)
    download_lifetime: int
    public_url: str
    heartbeat: float


@cache
def settings() -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: If a variable is missing or malformed.
    """
    return Settings(
        database_url=_required("DATABASE_URL"),
        log_level=_optional("LOG_LEVEL", "info", str.upper),
        worker_id=_optional("WORKER_ID", os.uname().nodename, str),
        poll=_optional("POLL_SECONDS", "1", float),
        lease=_optional("LEASE_SECONDS", "30", float),
        inactivity=_optional("INACTIVITY_SECONDS", "60", float),
        max_losses=_optional("MAX_LOSSES", "3", int),
        database_patience=_optional("DATABASE_PATIENCE_SECONDS", "60", float),
        longest_call=_optional("LLM_TIMEOUT_SECONDS", "600", float),
        retry_delay=_optional("RETRY_DELAY_SECONDS", "1", float),
        download_secret=_optional("DOWNLOAD_SECRET", "", str),
        download_lifetime=_optional("DOWNLOAD_LIFETIME_SECONDS", "900", int),
        public_url=_optional("PUBLIC_URL", "", str),
        heartbeat=_optional("SSE_HEARTBEAT_SECONDS", "15", float),
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
