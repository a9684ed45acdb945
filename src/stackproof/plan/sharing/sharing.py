"""Gives a stack a part of its own in a server that it shares: a database, or logical databases.

Where the stack file names the server's database, the stack gets the name of its own one. What can't
be rewritten for certain is an error, since it could lead to another stack's data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from stackproof.plan.addressing.container_ports import service_names
from stackproof.plan.model import Translation
from stackproof.plan.services.drafts import Draft
from stackproof.plan.services.known_images import database_of
from stackproof.plan.sharing.texts import CantBeSure, PartNames, Rewriter
from stackproof.settings.model import SAFE_ENDINGS, Settings
from stackproof.stack_file.model import StackFile

SHARED_RULE = "shared server"
"""The rule of translations that put a stack's own part in the place of the server's."""


SHARED = ("isolation", "shared")
"""The setting that names the shared services."""


DIVISIBLE = frozenset({"postgres", "redis", "valkey"})
"""Known images whose servers can be divided among stacks."""


@dataclass(frozen=True)
class SharedPart:
    """What one stack has of a server that another run has started.

    Attributes:
        service: Name of the service that the server stands for.
        project: The run that has started the server.
        ports: Container port to the server's port on this machine.
        database: The stack's own database; empty where the server is no PostgreSQL.
        first_index: The logical database of Redis that the stack's 0 is.
    """

    service: str
    project: str
    ports: Mapping[int, int]
    database: str = ""
    first_index: int = 0


@dataclass(frozen=True)
class SharedNeed:
    """What a stack needs of a server in order to share it.

    Attributes:
        service: Name of the service.
        database: The database that the stack file names, which is the template; empty for Redis.
        indexes: How many logical databases the stack uses; 0 for PostgreSQL.
        password: What a client of Redis has to say first; empty where it is not asked.
    """

    service: str
    database: str = ""
    indexes: int = 0
    password: str = field(default="", repr=False)


def needs_of(
    settings: Settings, stack_file: StackFile, drafts: Sequence[Draft], names: Sequence[str]
) -> tuple[SharedNeed, ...]:
    """What a stack needs of servers, after checking that it can share them.

    Args:
        settings: The settings.
        stack_file: The stack file, for the places of its keys.
        drafts: All services of the stack.
        names: Services to be shared.

    Raises:
        ConfigError: If one can't be shared, or a text can't be rewritten for certain.
    """
    known = {draft.name: draft for draft in drafts}
    needs = [_need(settings, known.get(name), name) for name in names]
    _refuse_same_names(settings, [need for need in needs if need.database])
    sample = {need.service: SharedPart(need.service, "sample", {}, need.database) for need in needs}
    shared = share(stack_file, drafts, sample)
    return tuple(
        need if need.database else replace(need, indexes=shared.indexes.get(need.service, 1))
        for need in needs
    )


def _need(settings: Settings, draft: Draft | None, name: str) -> SharedNeed:
    if draft is None or draft.known is None or draft.known.name not in DIVISIBLE:
        raise settings.refusal(
            SHARED,
            f"{name} can't be shared",
            observed="it is not among the services that are started"
            if draft is None
            else "it is neither PostgreSQL nor Redis or Valkey, which can be divided",
            remedy=f"remove {name}",
        )
    if draft.known.name != "postgres":
        words = (*draft.argv, "")
        asked = [words[at + 1] for at, word in enumerate(draft.argv) if word == "--requirepass"]
        return SharedNeed(name, indexes=1, password=asked[-1] if asked else "")
    database = database_of(draft.environment)
    if not database.endswith(SAFE_ENDINGS):
        raise settings.refusal(
            SHARED,
            f"{name} can't be shared: its database {database!r} may hold somebody's data",
            observed=f"the name of a disposable database ends in {' or '.join(SAFE_ENDINGS)}",
            remedy="rename it in the stack config, under `variables` and `database`",
        )
    return SharedNeed(name, database=database)


def _refuse_same_names(settings: Settings, needs: Sequence[SharedNeed]) -> None:
    """Refuse two servers whose databases have one name: a text would not say which is meant."""
    owners: dict[str, str] = {}
    for need in needs:
        other = owners.setdefault(need.database, need.service)
        if other != need.service:
            raise settings.refusal(
                SHARED,
                f"{other} and {need.service} can't both be shared",
                observed=f"the database of both is called {need.database!r}",
                remedy="give one of them another name, or share only one",
            )


@dataclass
class Shared:
    """The services of a stack that has its own parts of servers.

    Attributes:
        drafts: The services, rewritten.
        translations: What was rewritten.
        indexes: Service to how many logical databases of Redis the stack uses.
    """

    drafts: list[Draft] = field(default_factory=list)
    translations: list[Translation] = field(default_factory=list)
    indexes: dict[str, int] = field(default_factory=dict)


def share(
    stack_file: StackFile, drafts: Sequence[Draft], parts: Mapping[str, SharedPart]
) -> Shared:
    """Rewrite the environments and commands of a stack for its own parts of servers.

    Args:
        stack_file: The stack file, for the places of its keys.
        drafts: All services of the stack.
        parts: Parts by service.

    Raises:
        ConfigError: If a text names a shared server, and it is not certain how to rewrite it.
    """
    result = Shared()
    before = {draft.name: database_of(draft.environment) for draft in drafts if draft.name in parts}
    names = {
        name: PartNames(
            database=(before[name], part.database) if part.database else None,
            first_index=part.first_index,
        )
        for name, part in parts.items()
    }
    rewriter = Rewriter(names, service_names(drafts), result.indexes)
    for draft in drafts:
        try:
            result.drafts.append(_rewritten(draft, rewriter, parts, result.translations))
        except CantBeSure as doubt:
            raise stack_file.refusal(
                f"services.{draft.name}.{doubt.place}",
                f"{draft.name} can't be isolated on a shared {doubt.service}",
                observed=doubt.observed,
                remedy=f"{doubt.remedy}, or remove {doubt.service} from `isolation.shared` of the "
                "stack config",
            ) from None
    return result


def _rewritten(
    draft: Draft,
    rewriter: Rewriter,
    parts: Mapping[str, SharedPart],
    translations: list[Translation],
) -> Draft:
    environment = dict(rewriter.environment(draft.environment))
    part = parts.get(draft.name)
    if part is not None and part.database:
        environment["POSTGRES_DB"] = part.database
    argv = draft.argv if part is not None else rewriter.arguments(draft.argv)
    changed = [
        (f"environment {name}", draft.environment.get(name, ""), value)
        for name, value in environment.items()
    ]
    changed += [
        (f"command[{number}]", *words)
        for number, words in enumerate(zip(draft.argv, argv, strict=True))
    ]
    translations += [
        Translation(draft.name, place, old, new, SHARED_RULE)
        for place, old, new in changed
        if old != new
    ]
    return replace(draft, environment=environment, argv=tuple(argv))
