"""Resolves one service: command, environment, folders and probe, as this machine has them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from stackproof.plan.addressing.addresses import HOST, Addresses
from stackproof.plan.addressing.paths import PathMap
from stackproof.plan.addressing.translation import Translator
from stackproof.plan.model import Endpoint, ServicePlan, Translation
from stackproof.plan.mounts.model import PlannedMount
from stackproof.plan.reach import Reach
from stackproof.plan.services.dockerignore import hidden_paths
from stackproof.plan.services.drafts import Draft
from stackproof.plan.services.folders import Folders
from stackproof.plan.services.image_tag import image_of
from stackproof.plan.services.notices import replaced_check
from stackproof.plan.services.ready import asked_of_container
from stackproof.plan.world.model import Interface, WorldName
from stackproof.plan.world.networks import interfaces_of
from stackproof.readiness.probes import HealthTiming, Probe
from stackproof.settings.model import Settings
from stackproof.stack_file.model import Build, Condition, Healthcheck, Limits, Mount, StackFile

DEFAULT_CPUS = 1.0
DEFAULT_MEMORY = 1 << 30
"""What a container gets where neither the stack file nor the settings say anything."""

HTTP_PORTS = frozenset({80, 3000, 4000, 5000, 8000, 8001, 8008, 8080, 8081, 8501, 8888, 9000})
"""Container ports that are shown as HTTP where nothing else is known of them."""


@dataclass(frozen=True)
class Surroundings:
    """What all services of a plan share.

    Attributes:
        settings: The settings.
        stack_file: The stack file.
        addresses: Names and ports of all services.
        run_folder: The temporary folder of the run.
        drafts: All services of the plan, in start order.
        mounts: The mounts of each service that are not the run's own, decided.
        runs_in: Engine and world.
        hidden: The paths of a build context that no COPY sees.
    """

    settings: Settings
    stack_file: StackFile
    addresses: Addresses
    run_folder: Path
    drafts: Sequence[Draft]
    mounts: Mapping[str, tuple[PlannedMount, ...]] = field(default_factory=dict)
    runs_in: tuple[str, WorldName] = ("compose", "host")
    hidden: Callable[[Build], Sequence[str]] = hidden_paths

    @property
    def is_translated(self) -> bool:
        """Whether services see addresses and paths of this machine."""
        return self.runs_in == ("process", "host")

    @cached_property
    def planned(self) -> frozenset[str]:
        """Names of all services of the plan."""
        return frozenset(draft.name for draft in self.drafts)

    @cached_property
    def database(self) -> Draft | None:
        """The PostgreSQL service that the settings name, or the only one; None where it is open."""
        found = [draft for draft in self.drafts if draft.known and draft.known.name == "postgres"]
        if self.settings.database is not None:
            found = [draft for draft in found if draft.name == self.settings.database.service]
        return found[0] if len(found) == 1 else None

    @cached_property
    def interfaces(self) -> Mapping[str, tuple[Interface, ...]]:
        """The networks of each service in a private world."""
        return interfaces_of(self.stack_file)

    @cached_property
    def one_shots(self) -> frozenset[str]:
        """Services that are to end: others wait for that, or the settings say so."""
        awaited = {
            name
            for draft in self.drafts
            for name, dependency in draft.service.depends_on.items()
            if dependency.condition == "service_completed_successfully"
        }
        return frozenset({*awaited, *self.settings.one_shots})


@dataclass(frozen=True)
class Resolved:
    """One service of the plan, and what a person should know about how it came about."""

    service: ServicePlan
    translations: tuple[Translation, ...] = ()
    notices: tuple[str, ...] = ()


def container_service(draft: Draft, around: Surroundings) -> Resolved:
    """A service as containers run it: nothing is translated but what this machine asks it.

    Its health check, if it only asks over the network and the port is published, is asked from
    here, which is quick; any other runs in the container.
    """
    translator = Translator(around.addresses, draft.name, PathMap({}))
    _refuse_unwritable(draft, around.stack_file)
    probe = asked_of_container(draft, translator, around.database)
    service = service_plan(draft, around, draft.argv, dict(draft.environment), probe=probe)
    limits = replace(
        service.limits,
        cpus=service.limits.cpus or DEFAULT_CPUS,
        memory=service.limits.memory or DEFAULT_MEMORY,
    )
    return Resolved(
        replace(
            service,
            limits=limits,
            image=image_of(around.settings.stack, draft.service),
            builds=draft.service.build is not None,
            reach=reach_of(draft),
        ),
        notices=tuple(replaced_check(draft)),
    )


def _refuse_unwritable(draft: Draft, stack_file: StackFile) -> None:
    """Refuse what Docker refuses later: nothing can be brought into a read-only container."""
    granted = [mount for mount in draft.service.mounts if mount.content is not None]
    if draft.service.read_only and granted:
        raise stack_file.refusal(
            f"services.{draft.name}.read_only",
            f"{granted[0].written} can't be brought into a read-only container",
            observed="Docker Compose refuses that too: only a `file` can be mounted there",
            remedy="write it to a file and name that under `file`, or remove read_only",
        )


def reach_of(draft: Draft) -> Reach:
    """What of this machine a service reaches that others don't."""
    service = draft.service
    pairs = (host.partition("=") for host in service.extra_hosts)
    return Reach(
        hosts={name.lower(): address for name, _, address in pairs},
        host_network=service.network_mode == "host",
        binds=tuple(mount.target for mount in service.mounts if mount.kind == "bind"),
    )


def service_plan(
    draft: Draft,
    around: Surroundings,
    argv: tuple[str, ...],
    environment: Mapping[str, str],
    *,
    probe: Probe | None = None,
    folders: Folders | None = None,
) -> ServicePlan:
    """What all engines and worlds have in common.

    Args:
        draft: The service.
        around: The plan's surroundings.
        argv: Its command, as it is run.
        environment: Its environment, as it gets it.
        probe: What shows that it is ready.
        folders: Its files on this machine; None for the compose engine.
    """
    service, settings = draft.service, around.settings
    grace, upper = service.stop_grace_period, settings.timeouts.stop
    return ServicePlan(
        name=draft.name,
        argv=argv,
        environment=environment,
        working_dir=_working_folder(draft, folders) if folders else None,
        runtime=draft.runtime,
        depends_on=_depends_on(draft, around.planned),
        restarts_with=_restarts_with(draft, around.planned),
        probe=probe,
        timing=_timing(service.healthcheck),
        restart=service.restart,
        stop_signal=_stop_signal(draft),
        stop_grace=grace if upper is None else min(grace, upper),
        limits=_limits(settings, draft),
        endpoints=_endpoints(draft, around.addresses),
        folders=folders.created if folders else {},
        sizes=folders.sizes if folders else {},
        mounts=folders.mounts if folders and draft.known else {},
        one_shot=draft.name in around.one_shots,
        extension=service.extension,
        preload=draft.extension.preload,
        data=draft.extension.data,
        outside=around.mounts.get(draft.name, ()),
        joins=tuple(key for key, value in service.joins.items() if value == "host"),
        granted=_granted(service.mounts),
    )


def _granted(mounts: Sequence[Mount]) -> tuple[Mount, ...]:
    """What is no file of this machine, without its line in the stack file, which may move."""
    return tuple(replace(mount, where=None) for mount in mounts if mount.content is not None)


def _stop_signal(draft: Draft) -> str:
    """The official PostgreSQL image stops by SIGINT: SIGTERM would wait for every client to go."""
    is_server = draft.runtime is not None and draft.runtime.image == "postgres"
    return draft.service.stop_signal or ("SIGINT" if is_server else "SIGTERM")


def _depends_on(draft: Draft, planned: Collection[str]) -> dict[str, Condition]:
    return {
        name: dependency.condition
        for name, dependency in draft.service.depends_on.items()
        if name in planned
    }


def _restarts_with(draft: Draft, planned: Collection[str]) -> tuple[str, ...]:
    found = draft.service.depends_on.items()
    return tuple(name for name, one in found if one.restart and name in planned)


def _timing(check: Healthcheck | None) -> HealthTiming:
    """Its times; 0 stands for Docker's default, as it does there."""
    given = {
        name: value
        for name in ("interval", "timeout", "retries", "start_period", "start_interval")
        if (value := getattr(check, name, None))
    }
    return HealthTiming(**given)


def _limits(settings: Settings, draft: Draft) -> Limits:
    """The settings for this service, then the stack file, then the settings for all."""
    own = settings.service_limits.get(draft.name, Limits())
    levels = (own, draft.service.limits, settings.limits)

    def first(name: str) -> float | None:
        return next((x for level in levels if (x := getattr(level, name)) is not None), None)

    memory, pids = first("memory"), first("pids")
    return Limits(
        first("cpus"), None if memory is None else int(memory), None if pids is None else int(pids)
    )


def _endpoints(draft: Draft, addresses: Addresses) -> tuple[Endpoint, ...]:
    declared = {port.target: port.app_protocol for port in reversed(draft.service.ports)}
    check = draft.service.healthcheck
    asked = " ".join(check.test) if check else ""
    return tuple(
        Endpoint(draft.name, target, HOST, port, _scheme(draft, target, declared, asked))
        for target, port in addresses.ports[draft.name].items()
    )


def _scheme(draft: Draft, target: int, declared: Mapping[int, str | None], asked: str) -> str:
    if draft.known is not None and target == draft.known.port:
        return draft.known.scheme
    told = declared.get(target)
    if told:
        return told
    return "http" if target in HTTP_PORTS or f":{target}/" in asked else "tcp"


def _working_folder(draft: Draft, folders: Folders) -> Path | None:
    written = draft.service.working_dir or (draft.image.workdir if draft.image else None)
    found = PathMap(folders.paths).resolve(written) if written else None
    if found is not None and found.is_dir():
        return found
    return draft.runtime.project if draft.runtime else None
