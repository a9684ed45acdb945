"""What the server is told by its environment; read when it starts, never on import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class SettingsError(Exception):
    """An environment variable is missing or can't be read."""


@dataclass(frozen=True)
class Settings:
    """All settings; times are in seconds.

    Attributes:
        home: Absolute folder of the database; its owner's alone.
        files: Absolute folder that paths of context files must lie in.
        window_tokens: Upper bound of every model's context window; 0 keeps the models' own.
        provider_timeout: Time that a provider gets for one call.
        provider_retries: How often a provider's client repeats a call that has failed.
        database_patience: Time that a call waits for a locked database.
        index_patience: Time that a vector store gets until its files can be searched.
        store_idle: Time after which an unused vector store is deleted at the provider.
        lease: Time after which the work of a silent process is taken over.
        job_workers: How many jobs run at once.
        summary_model: Which model writes the summaries.
        server_id: Name of this process among those that share the home.
    """

    home: Path
    files: Path
    window_tokens: int
    provider_timeout: float
    provider_retries: int
    database_patience: float
    index_patience: float
    store_idle: float
    lease: float
    job_workers: int
    summary_model: str
    server_id: str

    @property
    def database(self) -> Path:
        """The file of the database."""
        return self.home / "memory.sqlite"


def read_settings(environment: Mapping[str, str], server_id: str) -> Settings:
    """Read the settings of a process that starts.

    Args:
        environment: Its environment.
        server_id: Its name among the processes that share a home.

    Raises:
        SettingsError: If a variable is malformed, or no home is known.
    """
    home = environment.get("MEMORY_HOME") or environment.get("HOME")
    if not home:
        raise SettingsError("neither MEMORY_HOME nor HOME is set")
    return Settings(
        home=Path(home).expanduser().absolute(),
        files=Path(environment.get("MEMORY_FILES") or ".").absolute(),
        window_tokens=int(_number(environment, "WINDOW_TOKENS", 0)),
        provider_timeout=_number(environment, "PROVIDER_TIMEOUT_SECONDS", 120),
        provider_retries=int(_number(environment, "PROVIDER_RETRIES", 2)),
        database_patience=_number(environment, "DATABASE_PATIENCE_SECONDS", 10),
        index_patience=_number(environment, "INDEX_PATIENCE_SECONDS", 60),
        store_idle=_number(environment, "STORE_IDLE_SECONDS", 3600),
        lease=_number(environment, "LEASE_SECONDS", 15),
        job_workers=int(_number(environment, "JOB_WORKERS", 4)),
        summary_model=environment.get("SUMMARY_MODEL") or "gpt-4.1-mini",
        server_id=server_id,
    )


def _number(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name) or str(default)
    try:
        value = float(text)
    except ValueError as error:
        raise SettingsError(f"{name} is {text!r}, which is not a number") from error
    if not 0 <= value < float("inf"):
        raise SettingsError(f"{name} is {text!r}; it must be a number from 0 on")
    return value
