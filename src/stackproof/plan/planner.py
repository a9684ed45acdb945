"""Makes the plan: settings and stack file, resolved for an engine. Reads files, starts nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from stackproof.plan.addressing.addresses import Addresses
from stackproof.plan.addressing.container_ports import (
    HostPort,
    PortKey,
    refuse_shared_ports,
    service_names,
)
from stackproof.plan.commands import plan_commands
from stackproof.plan.gateway import with_names
from stackproof.plan.made_database import refuse_unmade_database
from stackproof.plan.model import ComposeSource, Plan, PlannedEvidence, ServicePlan
from stackproof.plan.mounts.planning import mount_notices, plan_mounts
from stackproof.plan.outline import Outline, outline_of
from stackproof.plan.services.credentials import unset_passwords
from stackproof.plan.services.drafts import (
    Draft,
    refuse_images_with_files,
)
from stackproof.plan.services.notices import missed_services, unset_variables
from stackproof.plan.services.private import private_service
from stackproof.plan.services.resolving import Resolved, Surroundings, container_service
from stackproof.plan.services.secrets import secrets_of, with_secrets_told
from stackproof.plan.services.translated import translated_service
from stackproof.plan.sharing.sharing import Shared, SharedNeed, SharedPart, needs_of, share
from stackproof.plan.world.host_ports import host_notices
from stackproof.plan.world.model import WorldName
from stackproof.settings.model import Settings
from stackproof.stack_file.model import StackFile

RESOLVERS: Mapping[tuple[str, WorldName], Callable[[Draft, Surroundings], Resolved]] = {
    ("process", "private"): private_service,
    ("process", "host"): translated_service,
    ("compose", "host"): container_service,
}
"""How a service of an engine and its world is resolved."""

NOTHING_SHARED: Mapping[str, SharedPart] = {}


def needed_ports(
    settings: Settings,
    stack_file: StackFile,
    *,
    engine: str,
    services: Sequence[str] = (),
    everything: bool = False,
) -> tuple[PortKey, ...]:
    """The container ports that need a free port of this machine before a plan can be made.

    Args:
        settings: The settings.
        stack_file: The stack file.
        engine: `process` or `compose`.
        services: Only these and what they depend on; none named: all of the active profiles.
        everything: Also those that have a fixed port, for a stack that shares none with others.

    Raises:
        ConfigError: If the stack can't be planned.
    """
    outline = outline_of(settings, stack_file, engine, services)
    return tuple(
        (draft.name, target)
        for draft in outline.drafts
        for target in _reachable(draft, outline, engine)
        if everything or (draft.name, target) not in outline.fixed
    )


def shared_needs(
    settings: Settings, stack_file: StackFile, *, engine: str, names: Sequence[str]
) -> tuple[SharedNeed, ...]:
    """What a stack needs of some of its servers in order to share them with others.

    Args:
        settings: The settings.
        stack_file: The stack file.
        engine: `process` or `compose`.
        names: The services.

    Raises:
        ConfigError: If one of them can't be shared.
    """
    return needs_of(
        settings, stack_file, outline_of(settings, stack_file, engine, ()).drafts, names
    )


def make_plan(
    settings: Settings,
    stack_file: StackFile,
    *,
    engine: str,
    run_folder: Path,
    ports: Mapping[PortKey, int] | None = None,
    services: Sequence[str] = (),
    shared: Mapping[str, SharedPart] = NOTHING_SHARED,
    world: WorldName = "host",
) -> Plan:
    """Resolve everything that an engine needs to know to start a stack.

    Args:
        settings: The settings.
        stack_file: The stack file.
        engine: `process` or `compose`.
        run_folder: The temporary folder that the run will have.
        ports: Free ports for what `needed_ports` named; they win over the fixed ones.
        services: Only these and what they depend on; none named: all of the active profiles.
        shared: The stack's parts of servers that other runs have started, by service.
        world: What services see on the process engine; without effect on the others.

    Raises:
        ConfigError: If the stack can't be planned, with file, line and key.
    """
    outline = outline_of(settings, stack_file, engine, services)
    refuse_unmade_database(settings, stack_file, outline.drafts)
    divided = share(stack_file, outline.drafts, shared) if shared else Shared()
    outline = replace(outline, drafts=tuple(divided.drafts) or outline.drafts)
    numbers = _numbers(outline, engine, ports or {})
    addresses = _addresses(outline, {key: port.number for key, port in numbers.items()})
    mounts = plan_mounts(settings, stack_file, outline.drafts, engine)
    runs_in = (engine, world if engine == "process" else "host")
    around = Surroundings(
        settings, stack_file, addresses, run_folder, outline.drafts, mounts, runs_in, outline.hidden
    )
    plan = _planned(around, shared)
    return replace(
        plan,
        translations=(*divided.translations, *plan.translations),
        notices=(*plan.notices, *host_notices(plan)),
        port_places=_places(numbers),
    )


def _planned(around: Surroundings, shared: Mapping[str, SharedPart]) -> Plan:
    """The plan of services whose addresses are known."""
    settings, engine = around.settings, around.runs_in[0]
    if around.is_translated:
        refuse_images_with_files(around.stack_file, around.drafts)
    resolved = [RESOLVERS[around.runs_in](draft, around) for draft in around.drafts]
    planned = _with_whereabouts(settings, resolved, shared, around.addresses.names)
    secrets, secret_notices = secrets_of(settings, planned)
    migrate, migrate_told = plan_commands("migrate", settings.migrate, around)
    seed, seed_told = plan_commands("seed", settings.seed, around)
    told = chain.from_iterable(part.translations for part in resolved)
    notices = [notice for part in resolved for notice in part.notices]
    notices += mount_notices(around.stack_file, around.drafts, around.mounts, engine)
    return replace(
        _settled(around),
        services=with_secrets_told(planned, settings.gateway_service, secrets),
        translations=(*told, *migrate_told, *seed_told),
        notices=(*_unset(settings, around.stack_file), *notices, *secret_notices),
        migrate=migrate,
        seed=seed,
        secrets=secrets,
    )


def _unset(settings: Settings, stack_file: StackFile) -> Iterator[str]:
    told = (unset_passwords(settings), unset_variables(stack_file), missed_services(stack_file))
    return chain.from_iterable(told)


def _places(numbers: Mapping[PortKey, HostPort]) -> dict[PortKey, str]:
    """Where each port that somebody has chosen is written."""
    return {key: f"{port.origin}: {port.key}" for key, port in numbers.items() if port.key}


def _settled(around: Surroundings) -> Plan:
    """The plan without its services: what the settings alone say."""
    settings, addresses, (engine, world) = around.settings, around.addresses, around.runs_in
    gateway = settings.gateway_service
    is_compose = engine == "compose"
    return Plan(
        stack=settings.stack,
        project=settings.project,
        engine=engine,
        world=world,
        run_folder=around.run_folder,
        services=(),
        replicas=around.stack_file.replicas,
        source=_compose_source(settings, around.stack_file) if is_compose else ComposeSource(),
        hermetic=settings.hermetic,
        gateway_service=gateway,
        gateway_names=tuple(name for name, owner in addresses.names.items() if owner == gateway),
        addresses=addresses,
        external=settings.external,
        database=settings.database.name if settings.database else None,
        evidence=PlannedEvidence(
            settings.evidence, settings.database.service if settings.database else ""
        ),
    )


def _numbers(
    outline: Outline, engine: str, free_ports: Mapping[PortKey, int]
) -> dict[PortKey, HostPort]:
    """The port of this machine for each container port that is reached from here."""
    given = {key: HostPort(number, "a free port") for key, number in free_ports.items()}
    known = {**outline.fixed, **given}
    ports = {
        (draft.name, target): known[draft.name, target]
        for draft in outline.drafts
        for target in _reachable(draft, outline, engine)
        if (draft.name, target) in known
    }
    refuse_shared_ports(ports)
    return ports


def _with_whereabouts(
    settings: Settings,
    resolved: Sequence[Resolved],
    shared: Mapping[str, SharedPart],
    names: Mapping[str, str],
) -> tuple[ServicePlan, ...]:
    """The services: those of other runs say so, and the gateway knows its names."""
    planned = [replace(part.service, shared=_project_of(part.service, shared)) for part in resolved]
    return tuple(
        with_names(service, names) if service.name == settings.gateway_service else service
        for service in planned
    )


def _project_of(service: ServicePlan, shared: Mapping[str, SharedPart]) -> str:
    """The run that has started a service; empty for the stack's own."""
    part = shared.get(service.name)
    return part.project if part else ""


def _compose_source(settings: Settings, stack_file: StackFile) -> ComposeSource:
    variables = {key: value for key, value in stack_file.variables.items() if value is not None}
    return ComposeSource(settings.compose_files, variables, settings.profiles)


def _reachable(draft: Draft, outline: Outline, engine: str) -> tuple[int, ...]:
    """The container ports that are reached from this machine: with containers, the published.

    Those of servers that stackproof knows are always among them: tests look into databases.
    """
    targets = outline.targets[draft.name]
    if engine == "process":
        return targets
    if draft.known is not None:
        return tuple(target for target in targets if target not in draft.known.internal)
    published = {port.target for port in draft.service.ports if port.protocol == "tcp"}
    return tuple(
        target for target in targets if target in published or (draft.name, target) in outline.fixed
    )


def _addresses(outline: Outline, numbers: Mapping[PortKey, int]) -> Addresses:
    ports: dict[str, dict[int, int]] = {draft.name: {} for draft in outline.drafts}
    published: dict[int, int] = {}
    for (service, target), number in numbers.items():
        ports[service][target] = number
    for draft in outline.drafts:
        for port in draft.service.ports:
            key = (draft.name, port.target)
            if key in numbers and port.published and port.published.isdecimal():
                published[int(port.published)] = numbers[key]
    return Addresses(service_names(outline.drafts), ports, published)
