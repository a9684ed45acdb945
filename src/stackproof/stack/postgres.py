"""The PostgreSQL services of a stack: which they are, their URLs, and how `psql` is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from stackproof.errors import ConfigError
from stackproof.plan.model import Endpoint, Plan, ServicePlan
from stackproof.stack_file.regular_files import read_text_file

SCHEME = "postgresql"

LOCAL = "127.0.0.1"


def database_services(plan: Plan) -> tuple[ServicePlan, ...]:
    """The PostgreSQL services of a stack."""
    return tuple(
        service
        for service in plan.services
        if any(endpoint.scheme == SCHEME for endpoint in service.endpoints)
    )


def only_database_service(plan: Plan) -> str:
    """Name of the PostgreSQL service of a stack.

    Raises:
        ConfigError: If the stack has none, or several.
    """
    found = [service.name for service in database_services(plan)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise ConfigError(
            f"the stack {plan.stack} has no PostgreSQL service",
            remedy="add a service with the image `postgres`, or switch on its profile",
        )
    raise ConfigError(
        f"the stack {plan.stack} has {len(found)} PostgreSQL services",
        observed=f"they are {', '.join(found)}",
        remedy="name the service that you mean",
    )


def database_settings(service: ServicePlan) -> Mapping[str, str]:
    """The variables of a database service, with a password that stands in a file.

    Args:
        service: The service.
    """
    given = service.environment
    path = given.get("POSTGRES_PASSWORD_FILE", "")
    if not path or given.get("POSTGRES_PASSWORD"):
        return given
    seen = (mount.source for mount in service.outside if mount.target == path)
    try:
        password = read_text_file(Path(next(seen, path))).rstrip("\n")
    except OSError:  # it stands in the service alone, where clients need none
        return given
    return {**given, "POSTGRES_PASSWORD": password}


def database_url(settings: Mapping[str, str], endpoint: Endpoint) -> str:
    """The URL of the database that the official image's variables describe.

    Args:
        settings: As `database_settings` gives them (`POSTGRES_USER`, `POSTGRES_PASSWORD`,
            `POSTGRES_DB`).
        endpoint: Where the server is reached.
    """
    password = settings.get("POSTGRES_PASSWORD", "")
    secret = f":{quote(password, safe='')}" if password else ""
    who = f"{quote(_user(settings), safe='')}{secret}"
    return f"{SCHEME}://{who}@{endpoint.host}:{endpoint.port}/{_database(settings)}"


def own_address(plan: Plan, endpoint: Endpoint) -> tuple[str, int]:
    """Where a service reaches one of its own ports itself."""
    is_container = plan.engine == "compose" or plan.world == "private"
    return (LOCAL, endpoint.target) if is_container else (endpoint.host, endpoint.port)


def psql_command(
    settings: Mapping[str, str],
    address: tuple[str, int],
    arguments: Sequence[str],
    database: str | None = None,
) -> tuple[list[str], dict[str, str]]:
    """How `psql` is called in the surroundings of a database service.

    Args:
        settings: As `database_settings` gives them.
        address: Where the server is reached from there.
        arguments: Further arguments.
        database: The database; None for the service's own.

    Returns:
        The command, and the environment that it needs beside the service's own.
    """
    host, port = address
    who = ["-U", _user(settings), "-d", database or _database(settings)]
    argv = ["psql", "-Xv", "ON_ERROR_STOP=1", "-h", host, "-p", str(port), *who, *arguments]
    password = settings.get("POSTGRES_PASSWORD", "")
    return argv, {"PGPASSWORD": password} if password else {}


def login(service: ServicePlan) -> dict[str, str]:
    """Variables by which a client in a database service reaches its database as its user.

    What the stack file sets itself stays as it is (PostgreSQL documentation, libpq, "Environment
    Variables").

    Args:
        service: The service.
    """
    given = database_settings(service)
    wanted = {
        "PGUSER": _user(given),
        "PGDATABASE": _database(given),
        "PGPASSWORD": given.get("POSTGRES_PASSWORD", ""),
    }
    own = service.environment
    return {name: value for name, value in wanted.items() if value and name not in own}


def rows_as_json(sql: str) -> str:
    """A query that gives the rows of another one as one JSON list, whatever its columns are called.

    Args:
        sql: A single SELECT, without semicolon.
    """
    return f'select coalesce(json_agg("the rows".*), \'[]\'::json) from ({sql}) "the rows"'  # noqa: S608 - the test's own query


def _user(settings: Mapping[str, str]) -> str:
    return settings.get("POSTGRES_USER") or "postgres"


def _database(settings: Mapping[str, str]) -> str:
    return settings.get("POSTGRES_DB") or _user(settings)
