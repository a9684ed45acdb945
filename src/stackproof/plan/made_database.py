"""Refuses a configured database that the stack file does not make."""

from __future__ import annotations

from collections.abc import Sequence

from stackproof.errors import ConfigError
from stackproof.plan.services.drafts import Draft
from stackproof.plan.services.extension import location
from stackproof.settings.model import Settings
from stackproof.stack_file.model import StackFile

POSTGRES_DEFAULT = "postgres"
"""Database and user that the official image makes where its variables name none."""

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
    draft = next((one for one in drafts if database and one.name == database.service), None)
    if database is None or draft is None:
        return
    variable, made = _made(draft)
    if made is None or made == database.name:
        return
    origin = settings.origin(("database", "name"))
    place = _place(settings, stack_file, draft, variable)
    raise ConfigError(
        f"the database is {database.name!r}, but {database.service} makes {made!r}",
        source=origin.name,
        line=origin.line,
        key="database.name",
        observed=f"{variable} of {database.service}: {place}",
        remedy=f"set {variable}: {database.name} under {database.service} (`environment` of the "
        "stack config is enough)",
    )


def _made(draft: Draft) -> tuple[str, str | None]:
    """The variable that names the database which a server makes, and the name."""
    environment = draft.environment
    if draft.known is not None and draft.known.name == "postgres":
        default = environment.get("POSTGRES_USER") or POSTGRES_DEFAULT
        return "POSTGRES_DB", environment.get("POSTGRES_DB") or default
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
    place = location(stack_file, f"{key}.{variable}")
    where = f"{place.source}:{place.line}" if place else "the stack file"
    if draft.environment.get(variable):
        return where
    return f"{where} (not set, so it is the name of the user)"
