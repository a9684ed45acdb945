"""Never anybody else's data: which databases a command may touch, and the marker that says so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import SplitResult, unquote, urlsplit

from stackproof.errors import CommandFailed, Refused
from stackproof.images.postgres import MARKER
from stackproof.plan.model import Plan, ServicePlan
from stackproof.stack import Stack
from stackproof.stack_file.scalars import whole_number

SAFE_ENDINGS = ("_e2e", "_test")
MARKER_QUERY = "select made_by from stackproof.marker"

_DATABASE_URL = re.compile(r"^(postgres|postgresql)(\+\w+)?://", re.IGNORECASE)


def refuse_foreign_databases(plan: Plan, service: str, *, database: str | None) -> None:
    """Refuse to run a command whose environment names a database that is not the stack's own.

    Args:
        plan: The stack.
        service: In whose surroundings the command is to run.
        database: The name that the stack's database has by configuration; None for any safe one.

    Raises:
        Refused: If a URL, or PGHOST and its like, leads elsewhere, or the name is not a safe one.
            Nothing was connected to.
    """
    environment = plan.service(service).environment
    for variable, host, port, name in _targets(environment):
        if not _is_own(plan, host, port):
            raise Refused(
                f"{variable} of {service} leads to a database that stackproof did not start",
                observed=f"it names {host}:{port or 5432}, database {name!r}",
                remedy=f"let {variable} name a service of the stack file, or remove it from "
                ".env.integration",
            )
        _refuse_unsafe_name(name, f"{variable} of {service}", database)


def _targets(environment: Mapping[str, str]) -> Iterator[tuple[str, str, int | None, str]]:
    for variable, value in environment.items():
        if _DATABASE_URL.match(value):
            parts = urlsplit(value)
            yield variable, parts.hostname or "", _port(parts), unquote(parts.path.lstrip("/"))
    if "PGHOST" in environment:
        port = environment.get("PGPORT", "")
        name = environment.get("PGDATABASE", "")
        yield "PGHOST", environment["PGHOST"], whole_number(port), name


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        return None


def _is_own(plan: Plan, host: str, port: int | None) -> bool:
    wanted = port or 5432
    for service in plan.services:
        for endpoint in service.endpoints:
            if (host, wanted) in {(endpoint.host, endpoint.port), (service.name, endpoint.target)}:
                return True
    return False


def _refuse_unsafe_name(name: str, place: str, database: str | None) -> None:
    if not name.endswith(SAFE_ENDINGS):
        raise Refused(
            f"{place} names the database {name!r}, which may be somebody's own",
            observed=f"a database that is made to be lost ends in {' or '.join(SAFE_ENDINGS)}",
            remedy="rename it in config/<stack>.yaml, under `database` and `variables`",
        )
    if database is not None and name != database:
        raise Refused(
            f"{place} names the database {name!r}, but the configuration says {database!r}",
            remedy="let both name the same database",
        )


def has_marker(stack: Stack, service: str) -> bool:
    """Whether the database of a service carries the marker that stackproof puts into its own."""
    done = stack.psql(["-At", "-c", MARKER_QUERY], service=service)
    return done.exit_code == 0 and done.stdout.strip() != ""


def mark_databases(stack: Stack) -> None:
    """Put the marker into each database that the stack has just made.

    Raises:
        CommandFailed: If a database refuses it.
    """
    for service in database_services(stack.plan):
        if not stack.running.owns_data(service.name) or has_marker(stack, service.name):
            continue
        done = stack.psql(["-qc", MARKER], service=service.name)
        if done.exit_code:
            raise CommandFailed(
                f"the database of {service.name} could not be marked as the stack's own",
                exit_code=done.exit_code,
                output=done.stderr.strip(),
            )


def require_marker(stack: Stack, action: str) -> None:
    """Refuse an action on databases that do not carry the marker inside.

    Args:
        stack: The running stack; each of its PostgreSQL services is asked.
        action: What is about to be done, for the error text.

    Raises:
        Refused: If a database has no marker.
    """
    for service in database_services(stack.plan):
        if not has_marker(stack, service.name):
            raise Refused(
                f"{action} is refused: the database of {service.name} has no stackproof marker",
                observed="the table stackproof.marker, which is made with each database of a "
                "stack, is not there or can't be read",
                remedy="if it is yours, stackproof must not touch it; if it was the stack's and "
                "the table was dropped, `invoke up --fresh` makes a new one",
            )


def database_services(plan: Plan) -> tuple[ServicePlan, ...]:
    """The PostgreSQL services of a stack."""
    return tuple(
        service
        for service in plan.services
        if any(endpoint.scheme == "postgresql" for endpoint in service.endpoints)
    )
