"""What a service is told by its environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class SettingsError(Exception):
    """An environment variable is missing or can't be read."""


@dataclass(frozen=True)
class Settings:
    """All settings; times are in seconds.

    Attributes:
        environment: Where this copy runs: development, test, production.
        database_url: SQLAlchemy URL of PostgreSQL.
        amqp_url: URL of RabbitMQ.
        amqp_heartbeat: How long the broker bears a silent client.
        log_level: Level of the service's own log.
        name: Name of this copy of the service, unlike that of any other.
        token_secret: Signs the access tokens; at least 32 bytes.
        keys_secret: Encrypts the keys in the database.
        token_lifetime: How long an access token can be used.
        bcrypt_cost: Cost of a password's hash.
        poll: How often the executor and the relays look for what no message has told them.
        sensor_poll: How often the sensor service looks for changed rules and sensors.
        timer_grace: How long after its time a timer still fires.
        max_concurrent: How many executions workers have at the same time, all together.
        slots: How many of them one worker has.
        heartbeat: How often a worker says that it lives.
        lost_after: How long a worker may stay silent before it counts as lost.
        queue_ttl: How long a message waits for its worker before it is a dead letter.
        database_patience: How long a step waits for a database that is away.
        artifacts: Folder with the working folder of each action.
        logs: Folder with the standard error of each action.
        virtualenvs: Folder with the packs and their virtualenvs.
        packs: Folder with the packs of the seed.
    """

    environment: str
    database_url: str = field(repr=False)
    amqp_url: str = field(repr=False)
    amqp_heartbeat: int
    log_level: str
    name: str
    token_secret: str = field(repr=False)
    keys_secret: str = field(repr=False)
    token_lifetime: float
    bcrypt_cost: int
    poll: float
    sensor_poll: float
    timer_grace: float
    max_concurrent: int
    slots: int
    heartbeat: float
    lost_after: float
    queue_ttl: float
    database_patience: float
    artifacts: Path
    logs: Path
    virtualenvs: Path
    packs: Path


@cache
def settings() -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: If a variable is missing or malformed.
    """
    return Settings(
        environment=_optional("ENVIRONMENT", "development", str),
        database_url=_required("DATABASE_URL"),
        amqp_url=_optional("AMQP_URL", "amqp://guest:guest@localhost:5672/", str),
        amqp_heartbeat=_optional("AMQP_HEARTBEAT_SECONDS", "10", int),
        log_level=_optional("LOG_LEVEL", "info", str.upper),
        name=_optional("SERVICE_NAME", os.uname().nodename, str),
        token_secret=_optional("TOKEN_SECRET", "", str),
        keys_secret=_optional("KEYS_SECRET", "", str),
        token_lifetime=_optional("TOKEN_LIFETIME_SECONDS", "3600", float),
        bcrypt_cost=_optional("BCRYPT_COST", "12", int),
        poll=_optional("ENFORCEMENT_POLL_SECONDS", "1", float),
        sensor_poll=_optional("SENSOR_POLL_SECONDS", "2", float),
        timer_grace=_optional("TIMER_GRACE_SECONDS", "60", float),
        max_concurrent=_optional("MAX_CONCURRENT_EXECUTIONS", "10", int),
        slots=_optional("WORKER_SLOTS", "10", int),
        heartbeat=_optional("HEARTBEAT_SECONDS", "1", float),
        lost_after=_optional("LOST_AFTER_SECONDS", "15", float),
        queue_ttl=_optional("WORKER_QUEUE_TTL_SECONDS", "300", float),
        database_patience=_optional("DATABASE_PATIENCE_SECONDS", "60", float),
        artifacts=_optional("ARTIFACTS_DIR", "/var/lib/automation/artifacts", Path),
        logs=_optional("LOGS_DIR", "/var/lib/automation/logs", Path),
        virtualenvs=_optional("VIRTUALENVS_DIR", "/var/lib/automation/virtualenvs", Path),
        packs=_optional("PACKS_DIR", "/packs", Path),
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
