"""Everything that is known of a copy of a stack before anything starts: settings, file, plan."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from stackproof.engines.base import Engine
from stackproof.engines.process.engine import ProcessEngine
from stackproof.engines.process.images.credentials import secret_value
from stackproof.errors import masked_errors
from stackproof.plan import make_plan, needed_ports
from stackproof.plan.addressing.container_ports import PortKey
from stackproof.plan.attached import attached_plan
from stackproof.plan.gateway import TOKEN, with_token
from stackproof.plan.model import Plan
from stackproof.plan.profiles import leaving_out, load_wanted, with_profiles
from stackproof.plan.services.credentials import with_credentials
from stackproof.plan.sharing.sharing import SharedPart
from stackproof.reaper import ownership
from stackproof.reaper.run_folder import RunFolder, state_root
from stackproof.settings import Settings, load_settings
from stackproof.stack.running_record import RunningRecord, read_about
from stackproof.stack.world_choice import ChosenWorld, choose_world
from stackproof.stack_file.model import Limits, StackFile
from stackproof_redaction import Redactor

ENGINES = ("process", "compose")

GATEWAY_SECRET = "gateway-token"  # noqa: S105 - the name of its file
TOKEN_BYTES = 16

UNDECIDED_PORT = 0
"""Stands in a plan for a port that is claimed when the stack is started."""


@dataclass(frozen=True)
class StackRequest:
    """What a person chose: a project, a stack of it, and how to run it.

    Attributes:
        root: The project's folder.
        environment: The process environment.
        stack: Name of config/<stack>.yaml; None where there is only one.
        engine: `process` or `compose`; None for the configured one.
        project: Name of the copy; None for the configured one.
        profiles: Profiles of the stack file to switch on.
        suite: Name of the suite that the copy is for: it gets a name and free ports of its own.
        isolated: Whether the copy is for one test or so: it gets a name and free ports of its own.
        shared: Its parts of servers that another run has started, by service.
        services: Only these and what they depend on; none: all of the active profiles.
        without: Services to leave out beside those of the settings.
        service_environment: Further variables by service, stronger than the configured ones.
        service_limits: Upper bounds by service, stronger than the configured ones.
        coverage: Where the coverage of its services goes; None where it is not measured.
    """

    root: Path
    environment: Mapping[str, str]
    stack: str | None = None
    engine: str | None = None
    project: str | None = None
    profiles: tuple[str, ...] = ()
    suite: str | None = None
    isolated: bool = False
    shared: Mapping[str, SharedPart] = field(default_factory=dict)
    services: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    service_environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    service_limits: Mapping[str, Limits] = field(default_factory=dict)
    coverage: Path | None = None

    @property
    def shares_no_port(self) -> bool:
        """Whether every port of the copy is a free one."""
        return self.isolated or self.suite is not None


@dataclass(frozen=True)
class ResolvedStack:
    """Everything that is known before anything starts.

    Attributes:
        request: What the person chose.
        settings: The merged settings.
        stack_file: The stack file.
        run: The folder of this copy.
        engine: What runs it.
        plan: The plan, with the ports of the running copy if there is one.
        world: What the services see.
    """

    request: StackRequest
    settings: Settings
    stack_file: StackFile
    run: RunFolder
    engine: Engine
    plan: Plan
    world: ChosenWorld = ChosenWorld()

    def with_ports(self, ports: Mapping[tuple[str, int], int]) -> ResolvedStack:
        """The same with free ports decided."""
        plan = _plan(self.request, self.settings, self.stack_file, self.run, ports, self.world)
        return replace(self, plan=with_token(plan, _gateway_token(self.settings, self.run)))

    def anew(self) -> ResolvedStack:
        """The same for a new copy in the place of a running one, whose world does not count.

        Raises:
            ConfigError: If the settings ask for a world that can't be had.
        """
        world = _world(self.request, self.settings, self.stack_file, None)
        return replace(self, world=world).with_ports(self.plan.ports)

    def of_run(self, known: RunningRecord) -> ResolvedStack:
        """The same with the secrets of the run that is there by now, and with its free ports.

        Args:
            known: What it was started from; ports that the files ask for now win over its own.
        """
        wanted = known.ports if known.all_free else self.needed_ports()
        return self.with_ports({key: known.ports[key] for key in wanted if key in known.ports})

    def keep_secrets(self) -> None:
        """Keep what other commands need of the run in order to talk to it."""
        token = self.plan.gateway_token
        if token:
            ownership.write_file(str(self.run.path), GATEWAY_SECRET, token.encode())

    def record(
        self, *, complete: bool = False, files: bool = True, known: RunningRecord | None = None
    ) -> RunningRecord:
        """What the copy is started from, as it is now; see `RunningRecord.of`."""
        free = self.request.shares_no_port
        return RunningRecord.of(
            self.plan, self.settings, self.stack_file,
            complete=complete, all_free=free, files=files, known=known,
        )  # fmt: skip

    def needed_ports(self) -> tuple[PortKey, ...]:
        """The container ports that need a free port of this machine before the start."""
        return _needed_ports(
            self.request,
            self.settings,
            self.stack_file,
            everything=self.request.shares_no_port,
        )

    def engine_of(self, name: str) -> Engine:
        """The engine of a name, which need not be the one that runs this copy."""
        return make_engine(name, self.settings.cache, self.request.environment)


def resolve(request: StackRequest) -> ResolvedStack:
    """Read and check everything; starts nothing.

    Raises:
        ConfigError: If a file or a setting is wrong.
    """
    names = ("engine", "project", "profiles", "without")
    overrides = {name: getattr(request, name) for name in names}
    settings = load_settings(
        request.root, stack=request.stack, environment=request.environment, overrides=overrides
    )
    with masked_errors(Redactor(settings.secret_values()).text):
        return _resolved(request, settings)


def _resolved(request: StackRequest, settings: Settings) -> ResolvedStack:
    if request.suite is not None:
        settings = _for_suite(settings, request.suite)
    if request.isolated:
        settings = _for_one(settings, request)
    settings = with_credentials(settings, partial(secret_value, settings.cache, settings.stack))
    with masked_errors(Redactor(settings.secret_values()).text):
        return _planned(request, settings)


def _planned(request: StackRequest, settings: Settings) -> ResolvedStack:
    run = RunFolder(state_root(request.environment), settings.project)
    known = read_about(run)
    settings = leaving_out(settings, request.without or (known.without if known else ()))
    stack_file = load_wanted(settings)
    if known is not None and not request.profiles:
        kept = {*stack_file.profiles, "*"}
        settings = replace(settings, profiles=tuple(p for p in known.profiles if p in kept))
    settings = with_profiles(settings, stack_file)
    world = _world(request, settings, stack_file, known)
    plan = _plan(request, settings, stack_file, run, known.ports if known else {}, world)
    plan = with_token(plan, _gateway_token(settings, run))
    engine = make_engine(settings.engine, settings.cache, request.environment)
    return ResolvedStack(request, settings, stack_file, run, engine, plan, world)


def _world(
    request: StackRequest, settings: Settings, file: StackFile, known: RunningRecord | None
) -> ChosenWorld:
    engine = ProcessEngine(request.environment, settings.cache)
    return choose_world(settings, file, request.services, known, engine.no_world)


def _gateway_token(settings: Settings, run: RunFolder) -> str:
    """The token that the user chose, else the one of the run that is there, else a new one."""
    chosen = settings.variables.get(TOKEN)
    return chosen or _kept_token(run) or secrets.token_hex(TOKEN_BYTES)


def _kept_token(run: RunFolder) -> str:
    """The token of the run that is there; empty where there is none."""
    try:
        return ownership.read_file(str(run.path), GATEWAY_SECRET).decode("ascii", "replace")
    except OSError:
        return ""


def _for_suite(settings: Settings, name: str) -> Settings:
    suite = settings.suite(name)
    profiles = tuple(dict.fromkeys([*settings.profiles, *suite.profiles]))
    project = f"{settings.stack}-{name.replace('_', '-')}-{secrets.token_hex(3)}"
    return replace(settings, project=project, profiles=profiles)


def _for_one(settings: Settings, request: StackRequest) -> Settings:
    names = {*settings.environment, *request.service_environment}
    environment = {
        name: {**settings.environment.get(name, {}), **request.service_environment.get(name, {})}
        for name in names
    }
    return replace(
        settings,
        project=f"{settings.stack}-{secrets.token_hex(4)}",
        environment=environment,
        service_limits={**settings.service_limits, **request.service_limits},
        coverage=settings.coverage and request.coverage is not None,
    )


def _plan(
    request: StackRequest,
    settings: Settings,
    stack_file: StackFile,
    run: RunFolder,
    ports: Mapping[PortKey, int],
    world: ChosenWorld,
) -> Plan:
    if settings.engine == "attached":
        return attached_plan(settings, run.path)
    wanted = _needed_ports(request, settings, stack_file)
    shared = {
        (server.service, target): port
        for server in request.shared.values()
        for target, port in server.ports.items()
    }
    given = {**dict.fromkeys(wanted, UNDECIDED_PORT), **ports, **shared}
    plan = make_plan(
        settings,
        stack_file,
        engine=settings.engine,
        run_folder=run.path,
        ports=given,
        services=request.services,
        shared=request.shared,
        world=world.name,
    )
    return replace(plan, notices=(*filter(None, (world.notice,)), *plan.notices))


def _needed_ports(
    request: StackRequest, settings: Settings, stack_file: StackFile, *, everything: bool = False
) -> tuple[PortKey, ...]:
    needed = needed_ports(
        settings,
        stack_file,
        engine=settings.engine,
        services=request.services,
        everything=everything,
    )
    return tuple(key for key in needed if key[0] not in request.shared)


def make_engine(name: str, cache: Path, environment: Mapping[str, str]) -> Engine:
    """The engine of a name; what only one of them needs is loaded only for that one."""
    if name == "process":
        return ProcessEngine(environment, cache)
    if name == "attached":
        from stackproof.engines.attached.engine import AttachedEngine

        return AttachedEngine()
    from stackproof.engines.compose.engine import ComposeEngine

    return ComposeEngine(environment)
