"""Nobody else's data: refuses a plan whose services would reach servers outside the stack."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stackproof.errors import Refused
from stackproof.plan.addressing.addresses import DOCKER_HOST
from stackproof.plan.addressing.commands import command_targets
from stackproof.plan.addressing.hosts import is_loopback
from stackproof.plan.addressing.ownership import (
    DOCKER_HOSTS,
    Ownership,
    names_own_store,
    serves,
)
from stackproof.plan.addressing.schemes import NAMED
from stackproof.plan.addressing.targets import DEFAULT_HOST, UNREADABLE, Target
from stackproof.plan.addressing.variables import environment_targets
from stackproof.plan.model import Plan, ServicePlan
from stackproof.readiness.probes import CommandProbe
from stackproof.settings.model import SAFE_ENDINGS
from stackproof_redaction import Redactor

WRITING = frozenset({"migrate", "seed", "reset"})
"""Actions that write to databases, to those outside the stack as well."""

HEALTH_CHECK = "health check"
"""Place of the targets of a health check, which asks and writes nothing."""

FORCE = "`invoke down --force` takes the stack down as it is"

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")


@dataclass(frozen=True)
class Finding:
    """One target that a service must not reach.

    Attributes:
        service: Name of the service.
        target: Where it leads.
        is_outside: Whether it leads outside the stack; else its database may be somebody's own.
    """

    service: str
    target: Target
    is_outside: bool

    def __str__(self) -> str:
        target = self.target
        if not self.is_outside:
            return f"{self.service}: {target.place} names the database {target.database!r}"
        if target.host == UNREADABLE:
            return (
                f"{self.service}: {target.place} can't be read for certain ({target.shown}): its "
                "user or password holds @ and /, which a URL has as %40 and %2F"
            )
        where = target.address or "the client's default server on this machine"
        return f"{self.service}: {target.place} leads to {where} ({target.shown})"


def refuse_foreign_targets(plan: Plan, action: str) -> None:
    """Refuse an action on a stack whose services would reach what is not the stack's own.

    Args:
        plan: The stack; one that somebody else has started is not looked at.
        action: What is about to be done, such as `up`.

    Raises:
        Refused: With every such place at once, and the line that allows them.
    """
    found = foreign_targets(plan, writes=action in WRITING)
    if not found:
        return
    outside = [finding for finding in found if finding.is_outside]
    named = [finding for finding in found if not finding.is_outside]
    count = len(found)
    what = f"{count} addresses of its services are" if count > 1 else "an address of a service is"
    redactor = Redactor(plan.secrets)
    raise Refused(
        f"{action} is refused: {what} not the stack's own",
        observed=redactor.text("\n".join(dict.fromkeys(str(finding) for finding in found))),
        remedy="; ".join(
            [
                *_outside_remedy(plan, outside),
                *_name_remedy(plan, named),
                *([FORCE] if action == "down" else []),
            ]
        ),
    )


def _outside_remedy(plan: Plan, outside: list[Finding]) -> Iterator[str]:
    readable = [mount.target for mount in outside if mount.target.host != UNREADABLE]
    if len(outside) > len(readable):
        yield "write @ as %40 and / as %2F in user and password"
    if not readable:
        return
    hosts = dict.fromkeys([*plan.external, *map(_allowance, readable)])
    line = ", ".join(host if _PLAIN.fullmatch(host) else f'"{host}"' for host in hosts)
    yield (
        "use services of the stack file instead; if the stack may use these, write in "
        f"config/{plan.stack}.yaml: `external: [{line}]`"
    )


def _allowance(target: Target) -> str:
    """What names a target under `external`: on this machine the port belongs to it."""
    if target.host == DEFAULT_HOST:
        return f"localhost:{target.port}"
    is_here = is_loopback(target.host) or target.host in DOCKER_HOSTS
    return target.address if is_here else target.host


def _name_remedy(plan: Plan, named: list[Finding]) -> Iterator[str]:
    if named:
        yield (
            f"a database that is made to be lost ends in {' or '.join(SAFE_ENDINGS)}: rename it "
            f"in config/{plan.stack}.yaml, under `variables` or `environment`"
        )


def foreign_targets(plan: Plan, *, writes: bool = False) -> tuple[Finding, ...]:
    """Every target of a stack that is not its own, and not allowed by its config.

    Args:
        plan: The stack.
        writes: Whether databases are about to be written to: then those outside the stack that the
            config allows must have names as safe as the stack's own. The stack's own need one to be
            started only where the config names a database.
    """
    if plan.engine == "attached":
        return ()
    written = _written(plan)
    targets = {service.name: list(_targets(plan, service, written)) for service in plan.services}
    own = Ownership(plan, _with_own_stores(plan, targets))
    writing = {command.service for command in (*plan.migrate, *plan.seed)} if writes else set()
    must_be_safe = writes or plan.database is not None
    found: dict[Finding, None] = {}
    for service in plan.services:
        for target in targets[service.name]:
            is_own = own.has(service, target)
            if not is_own and not own.may_use(target):
                found[Finding(service.name, target, is_outside=True)] = None
                continue
            is_judged = (is_own and must_be_safe) or target.place in WRITING
            if (is_judged or service.name in writing) and not (
                target.place == HEALTH_CHECK or own.is_disposable(target)
            ):
                found[Finding(service.name, target, is_outside=False)] = None
    return tuple(found)


def _with_own_stores(plan: Plan, targets: Mapping[str, list[Target]]) -> frozenset[str]:
    """Services that are told where a store of the stack is, so that a bucket's name means it."""
    own = Ownership(plan)
    return frozenset(
        service.name
        for service in plan.services
        if any(
            target.kind == "web" and names_own_store(target.place) and own.has(service, target)
            for target in targets[service.name]
        )
    )


def refuse_other_database(plan: Plan, service: str) -> None:
    """Refuse a command in a service that works on none but another database than the configured.

    Args:
        plan: The stack.
        service: Name of the service.

    Raises:
        Refused: If the service names databases, and the configured one is not among them.
    """
    found = _targets(plan, plan.service(service), _written(plan))
    targets = [target for target in found if target.kind in NAMED]
    names = sorted({target.database for target in targets if target.database})
    if plan.database is None or not names or plan.database in names:
        return
    place = next(target.place for target in targets if target.database)
    raise Refused(
        f"{place} of {service} names the database {names[0]!r}, but the configuration says "
        f"{plan.database!r}",
        observed=f"`database.name` in config/{plan.stack}.yaml is {plan.database}",
        remedy="use the same name in both",
    )


def _targets(
    plan: Plan, service: ServicePlan, written: Mapping[str, Mapping[str, str]]
) -> Iterator[Target]:
    environment = {**service.environment, **written.get(service.name, {})}
    for target in environment_targets(environment):
        if target.host != DEFAULT_HOST or not serves(service, target):
            yield target
    commands = [("command", service.argv)]
    if isinstance(service.probe, CommandProbe):
        commands.append((HEALTH_CHECK, tuple(service.probe.argv)))
    commands += [
        ("migrate", command.argv) for command in plan.migrate if command.service == service.name
    ]
    commands += [("seed", command.argv) for command in plan.seed if command.service == service.name]
    is_server = any(endpoint.scheme == "postgresql" for endpoint in service.endpoints)
    for place, argv in commands:
        yield from command_targets(argv, environment, place, default_is_own=is_server)


def _written(plan: Plan) -> Mapping[str, Mapping[str, str]]:
    """Variables by service that are judged as they were written, not as they were translated.

    Translation turns `host.docker.internal:9000` into this machine's own address, after which it
    could not be told from one that means the service itself.
    """
    found: dict[str, dict[str, str]] = {}
    for translation in plan.translations:
        if (
            translation.place.startswith("environment ")
            and DOCKER_HOST in translation.before.lower()
        ):
            name = translation.place.removeprefix("environment ")
            found.setdefault(translation.service, {})[name] = translation.before
    return found
