"""The marker in a database, which says that stackproof made it and may touch it."""

from __future__ import annotations

from stackproof.errors import CommandFailed, Refused
from stackproof.images.postgres import MARKER
from stackproof.plan.model import Plan, ServicePlan
from stackproof.stack import Stack

MARKER_QUERY = "select made_by from stackproof.marker"


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
