"""Makes the plan: settings and stack file, resolved for an engine. Reads files, starts nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import stackproof
from stackproof.errors import ConfigError
from stackproof.plan.addressing.addresses import Addresses
from stackproof.plan.addressing.container_ports import (
    HostPort,
    PortKey,
    container_ports,
    fixed_ports,
    refuse_shared_ports,
    refuse_unknown_services,
    service_names,
)
from stackproof.plan.commands import plan_commands
from stackproof.plan.gateway import with_names
from stackproof.plan.made_database import refuse_unmade_database
from stackproof.plan.model import ComposeSource, Plan, ServicePlan
from stackproof.plan.mounts.data_paths import DataPaths, data_paths
from stackproof.plan.mounts.deciding import Project, decide_mounts, look_at
from stackproof.plan.mounts.joining import refuse_joins, replaced_joins
from stackproof.plan.mounts.model import PlannedMount
from stackproof.plan.mounts.settling import notices_of, unlike_copies
from stackproof.plan.services.credentials import unset_passwords
from stackproof.plan.services.drafts import Draft, make_draft, read_image
from stackproof.plan.services.resolving import Surroundings, container_service, native_service
from stackproof.plan.services.secrets import secrets_of, with_secrets_told
from stackproof.plan.sharing.sharing import Shared, SharedNeed, SharedPart, needs_of, share
from stackproof.settings.model import Origin, Settings
from stackproof.stack_file import select_services, start_order
from stackproof.stack_file.model import StackFile
from stackproof.stack_file.mounts import host_path

OWN_FOLDERS = ("GATEWAY_CASSETTES", "GATEWAY_LEDGER_FOLDER")
"""Variables that stackproof names folders of its own in, for the gateway to write to."""

NOTHING_SHARED: Mapping[str, SharedPart] = {}


@dataclass(frozen=True)
class _Outline:
    """The selected services in start order, with their container ports and fixed host ports."""

    drafts: tuple[Draft, ...]
    targets: Mapping[str, tuple[int, ...]]
    fixed: Mapping[PortKey, HostPort]


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
    outline = _outline(settings, stack_file, engine, services)
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
    return needs_of(settings, stack_file, _outline(settings, stack_file, engine, ()).drafts, names)


def make_plan(
    settings: Settings,
    stack_file: StackFile,
    *,
    engine: str,
    run_folder: Path,
    ports: Mapping[PortKey, int] | None = None,
    services: Sequence[str] = (),
    shared: Mapping[str, SharedPart] = NOTHING_SHARED,
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

    Raises:
        ConfigError: If the stack can't be planned, with file, line and key.
    """
    outline = _outline(settings, stack_file, engine, services)
    refuse_unmade_database(settings, stack_file, outline.drafts)
    divided = share(stack_file, outline.drafts, shared) if shared else Shared()
    outline = replace(outline, drafts=tuple(divided.drafts) or outline.drafts)
    given = {key: HostPort(number, "a free port") for key, number in (ports or {}).items()}
    known = {**outline.fixed, **given}
    numbers = {
        (draft.name, target): known[draft.name, target]
        for draft in outline.drafts
        for target in _reachable(draft, outline, engine)
        if (draft.name, target) in known
    }
    refuse_shared_ports(numbers)
    addresses = _addresses(outline, {key: port.number for key, port in numbers.items()})
    mounts = _mounts(settings, stack_file, outline.drafts, engine)
    around = Surroundings(settings, stack_file, addresses, run_folder, outline.drafts, mounts)
    resolve = native_service if engine == "process" else container_service
    resolved = [resolve(draft, around) for draft in outline.drafts]
    planned = tuple(
        replace(one.service, shared=_project_of(one.service, shared)) for one in resolved
    )
    names = service_names(outline.drafts)
    planned = tuple(
        with_names(one, names) if one.name == settings.gateway_service else one for one in planned
    )
    secrets, secret_notices = secrets_of(settings, planned)
    migrate, migrate_told = plan_commands("migrate", settings.migrate, around, engine)
    seed, seed_told = plan_commands("seed", settings.seed, around, engine)
    return Plan(
        stack=settings.stack,
        project=settings.project,
        engine=engine,
        run_folder=run_folder,
        services=with_secrets_told(planned, settings.gateway_service, secrets),
        translations=(
            *divided.translations,
            *(one for part in resolved for one in part.translations),
            *migrate_told,
            *seed_told,
        ),
        notices=(
            *unset_passwords(settings),
            *(one for part in resolved for one in part.notices),
            *_notices(stack_file, outline.drafts, mounts),
            *(unlike_copies(mounts) if engine == "compose" else ()),
            *secret_notices,
        ),
        fingerprint=_fingerprint(settings, engine, planned),
        migrate=migrate,
        seed=seed,
        secrets=secrets,
        source=_compose_source(settings, stack_file) if engine == "compose" else ComposeSource(),
        hermetic=settings.hermetic,
        gateway_service=settings.gateway_service,
        gateway_names=tuple(
            name for name, owner in names.items() if owner == settings.gateway_service
        ),
        addresses=addresses,
        external=settings.external,
        database=settings.database.name if settings.database else None,
    )


def _mounts(
    settings: Settings, stack_file: StackFile, drafts: Sequence[Draft], engine: str
) -> dict[str, tuple[PlannedMount, ...]]:
    """What becomes of the mounts that are not the run's own; refuses what joins others."""
    for draft in drafts:
        refuse_joins(stack_file, draft.service, engine)
    servers = {draft.name: _data_paths(stack_file, draft) for draft in drafts}
    named = [settings.variables.get(name, "") for name in OWN_FOLDERS]
    base = stack_file.project_directory
    own = frozenset(str(host_path(one, base)) for one in named if one.startswith((".", "/", "~")))

    def place(key: str) -> Origin:
        return settings.origin(("mounts", key))

    project = Project(settings.root, engine, place, settings.mounts, own, look_at)
    return decide_mounts(stack_file, servers, project)


def _data_paths(stack_file: StackFile, draft: Draft) -> DataPaths | None:
    try:
        image = draft.image or read_image(stack_file, draft.service)
    except ConfigError:
        image = None  # Docker Compose says what is wrong with it
    names = (draft.service.image, image.base if image else None)
    environment = {**(image.environment if image else {}), **draft.environment}
    argv = draft.argv or ()
    return data_paths([name for name in names if name], environment, argv)


def _notices(
    stack_file: StackFile,
    drafts: Sequence[Draft],
    mounts: Mapping[str, tuple[PlannedMount, ...]],
) -> Iterator[str]:
    for draft in drafts:
        yield from notices_of(draft.name, mounts[draft.name])
        yield from replaced_joins(stack_file, draft.service)


def _project_of(service: ServicePlan, shared: Mapping[str, SharedPart]) -> str:
    """The run that has started a service; empty for the stack's own."""
    part = shared.get(service.name)
    return part.project if part else ""


def _compose_source(settings: Settings, stack_file: StackFile) -> ComposeSource:
    variables = {key: value for key, value in stack_file.variables.items() if value is not None}
    return ComposeSource(settings.compose_files, variables, settings.profiles)


def _outline(
    settings: Settings, stack_file: StackFile, engine: str, services: Sequence[str]
) -> _Outline:
    refuse_unknown_services(settings, list(stack_file.services))
    selected = select_services(stack_file, settings.profiles, services)
    ordered = start_order(selected)
    drafts = tuple(make_draft(settings, stack_file, selected[name], engine) for name in ordered)
    targets = container_ports(settings, drafts)
    return _Outline(drafts, targets, fixed_ports(settings, stack_file, drafts, targets))


def _reachable(draft: Draft, outline: _Outline, engine: str) -> tuple[int, ...]:
    """The container ports that are reached from this machine: with containers, the published.

    Those of servers that stackproof knows are always among them: tests look into databases.
    """
    targets = outline.targets[draft.name]
    if engine == "process" or draft.known is not None:
        return targets
    published = {port.target for port in draft.service.ports if port.protocol == "tcp"}
    return tuple(one for one in targets if one in published or (draft.name, one) in outline.fixed)


def _addresses(outline: _Outline, numbers: Mapping[PortKey, int]) -> Addresses:
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


def _fingerprint(settings: Settings, engine: str, services: Sequence[ServicePlan]) -> str:
    """A digest of all that decides whether a running stack is still the planned one."""
    locks = {
        str(lock): hashlib.sha256(lock.read_bytes()).hexdigest()
        for service in services
        if service.runtime is not None
        and (lock := service.runtime.lock) is not None
        and lock.is_file()
    }
    known = {
        "stackproof": stackproof.__version__,
        "engine": engine,
        "project": settings.project,
        "coverage": settings.coverage,
        "hermetic": settings.hermetic,
        "locks": locks,
        "services": [_plain(service) for service in services],
    }
    text = json.dumps(known, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(service: ServicePlan) -> dict[str, object]:
    """A service as plain values; its folders are keyed by paths, which JSON does not take."""
    plain = asdict(replace(service, folders={}))
    plain["folders"] = sorted((str(path), target) for path, target in service.folders.items())
    plain["probe"] = [type(service.probe).__name__, str(service.probe)]
    return plain
