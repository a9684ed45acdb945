"""Refuses a configured database that the stack file does not make."""

from __future__ import annotations

from collections.abc import Sequence

from stackproof.plan.services.drafts import Draft
from stackproof.plan.services.known_images import database_of
from stackproof.settings.model import Settings
from stackproof.stack_file.model import StackFile

_MYSQL_VARIABLES = ("MYSQL_DATABASE", "MARIADB_DATABASE")


def refuse_unmade_database(
    settings: Settings, stack_file: StackFile, drafts: Sequence[Draft]
) -> None:
    """Refuse `database.name` where its service makes another database.

    Args:
        settings: The settings.
        stack_file: The stack file, for the place of the variable.
        drafts: The services of the plan, with their whole environments.

    Raises:
        ConfigError: With both places.
    """
    database = settings.database
    draft = next((draft for draft in drafts if database and draft.name == database.service), None)
    if database is None or draft is None:
        return
    variable, made = _made(draft)
    if made is None or made == database.name:
        return
    place = _place(settings, stack_file, draft, variable)
    raise settings.refusal(
        ("database", "name"),
        f"the database is {database.name!r}, but {database.service} makes {made!r}",
        observed=f"{variable} of {database.service}: {place}",
        remedy=f"set {variable}: {database.name} under {database.service} (`environment` of the "
        "stack config is enough)",
    )


def _made(draft: Draft) -> tuple[str, str | None]:
    """The variable that names the database which a server makes, and the name."""
    environment = draft.environment
    if draft.known is not None and draft.known.name == "postgres":
        return "POSTGRES_DB", database_of(environment)
    for variable in _MYSQL_VARIABLES:
        if environment.get(variable):
            return variable, environment[variable]
    return "", None


def _place(settings: Settings, stack_file: StackFile, draft: Draft, variable: str) -> str:
    """Where the name of the made database was written, or why it is that one."""
    configured = ("environment", draft.name, variable)
    if variable in settings.environment.get(draft.name, {}):
        return settings.source(configured)
    key = f"services.{draft.name}.environment"
    place = stack_file.location(f"{key}.{variable}")
    where = f"{place.source}:{place.line}" if place else "the stack file"
    if draft.environment.get(variable):
        return where
    return f"{where} (not set, so it is the name of the user)"
