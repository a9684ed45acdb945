"""What the environment of the official `postgres` image says about the cluster to make."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stackproof.errors import ConfigError
from stackproof.stack_file.regular_files import read_text_file, shown_path


@dataclass(frozen=True)
class Cluster:
    """What the environment of the official image says about the cluster to make.

    Attributes:
        user: The superuser.
        password: Its password; empty where everybody is trusted.
        database: The database to make.
        arguments: Further arguments of initdb.
        auth: How a client that connects over TCP shows who it is.
    """

    user: str
    password: str
    database: str
    arguments: tuple[str, ...]
    auth: str


FIRST_WITH_SCRAM = 14
"""The first major version whose passwords are for SCRAM, and no longer for MD5."""


def read_cluster(service: str, environment: Mapping[str, str], major: str = "") -> Cluster:
    """Read `POSTGRES_USER`, `_PASSWORD`, `_DB`, `_INITDB_ARGS` and `_HOST_AUTH_METHOD`.

    Args:
        service: Name of the service, for the error.
        environment: Its environment.
        major: The major version of the server; empty for a new one.

    Raises:
        ConfigError: If there is neither a password nor trust; the image refuses that too.
    """
    user = environment.get("POSTGRES_USER") or "postgres"
    password = environment.get("POSTGRES_PASSWORD", "")
    if not password and environment.get("POSTGRES_PASSWORD_FILE"):
        password = _from_file(service, environment["POSTGRES_PASSWORD_FILE"])
    is_old = bool(major) and int(major) < FIRST_WITH_SCRAM
    usual = "md5" if is_old else "scram-sha-256"
    auth = environment.get("POSTGRES_HOST_AUTH_METHOD") or usual
    if not password and auth != "trust":
        raise ConfigError(
            "the superuser has no password, which the image refuses",
            key=f"services.{service}.environment.POSTGRES_PASSWORD",
            remedy="set POSTGRES_PASSWORD, or POSTGRES_HOST_AUTH_METHOD: trust",
        )
    return Cluster(
        user=user,
        password=password,
        database=environment.get("POSTGRES_DB") or user,
        arguments=_arguments(service, environment.get("POSTGRES_INITDB_ARGS", "")),
        auth=auth,
    )


def _arguments(service: str, text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise ConfigError(
            "the arguments of initdb can't be split into words",
            key=f"services.{service}.environment.POSTGRES_INITDB_ARGS",
            observed=str(error),
            remedy="close the quote",
        ) from None


def _from_file(service: str, path: str) -> str:
    try:
        return read_text_file(Path(path)).rstrip("\n")
    except OSError as error:
        raise ConfigError(
            "the file with the password can't be read",
            key=f"services.{service}.environment.POSTGRES_PASSWORD_FILE",
            observed=f"{shown_path(Path(path))}: {error.strerror}",
            remedy="correct the path, or set POSTGRES_PASSWORD",
        ) from error
