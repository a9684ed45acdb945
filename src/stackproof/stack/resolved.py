"""Everything that is known of a copy of a stack before anything starts: settings, file, plan."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from stackproof.engines.attached.engine import AttachedEngine
from stackproof.engines.base import Engine
from stackproof.engines.process.engine import ProcessEngine
from stackproof.engines.process.images.credentials import secret_value
from stackproof.errors import masked_errors
from stackproof.plan import make_plan, needed_ports
from stackproof.plan.addressing.container_ports import PortKey
from stackproof.plan.attached import attached_plan
from stackproof.plan.gateway import TOKEN, with_token
from stackproof.plan.model import Plan
from stackproof.plan.services.credentials import with_credentials
from stackproof.plan.sharing.sharing import SharedPart
from stackproof.reaper import ownership
from stackproof.reaper.run_folder import RunFolder, state_root
from stackproof.redaction import Redactor
from stackproof.settings import Settings, load_settings
from stackproof.stack.running_record import read_about
from stackproof.stack_file import load_stack_file
from stackproof.stack_file.model import Limits, StackFile

ENGINES = ("process", "compose")

GATEWAY_SECRET = "gateway-token"  # noqa: S105 - the name of its file
TOKEN_BYTES = 16

UNDECIDED_PORT = 0
"""Stands in a plan for a port that is claimed when the stack is started."""


@dataclass(frozen=True)
class Choice:
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
        services: Only these and what they depend on; none named: all of the active profiles.
        service_environment: Further variables by service, stronger than the configured ones.
        service_limits: Upper bounds by service, stronger than the configured ones.
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
    service_environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    service_limits: Mapping[str, Limits] = field(default_factory=dict)

    @property
    def shares_no_port(self) -> bool:
        """Whether every port of the copy is a free one."""
        return self.isolated or self.suite is not None


@dataclass(frozen=True)
class Blueprint:
    """Everything that is known before anything starts.

    Attributes:
        choice: What the person chose.
        settings: The merged settings.
        stack_file: The stack file.
        run: The folder of this copy.
        engine: What runs it.
        plan: The plan, with the ports of the running copy if there is one.
    """

    choice: Choice
    settings: Settings
    stack_file: StackFile
    run: RunFolder
    engine: Engine
    plan: Plan

    def with_ports(self, ports: Mapping[tuple[str, int], int]) -> Blueprint:
        """The same with free ports decided."""
        plan = _plan(self.choice, self.settings, self.stack_file, self.run, ports)
        return replace(self, plan=with_token(plan, _gateway_token(self.settings, self.run)))

    def of_run(self, ports: Mapping[tuple[str, int], int]) -> Blueprint:
        """The same with the ports and secrets of the run that is there by now.

        Args:
            ports: Its ports.
        """
        is_chosen = bool(self.settings.variables.get(TOKEN))
        known = "" if is_chosen else _kept_token(self.run)
        return self if known in {"", self.plan.gateway_token} else self.with_ports(ports)

    def keep_secrets(self) -> None:
        """Keep what other commands need of the run in order to talk to it."""
        token = self.plan.gateway_token
        if token:
            ownership.write_file(str(self.run.path), GATEWAY_SECRET, token.encode())

    def needed_ports(self) -> tuple[PortKey, ...]:
        """The container ports that need a free port of this machine before the start."""
        return _needed_ports(
            self.choice,
            self.settings,
            self.stack_file,
            everything=self.choice.shares_no_port,
        )

    def engine_of(self, name: str) -> Engine:
        """The engine of a name, which need not be the one that runs this copy."""
        return make_engine(name, self.settings, self.choice.environment)


def resolve(choice: Choice) -> Blueprint:
    """Read and check everything; starts nothing.

    Raises:
        ConfigError: If a file or a setting is wrong.
    """
    overrides = {
        "engine": choice.engine,
        "project": choice.project,
        "profiles": list(choice.profiles),
    }
    settings = load_settings(
        choice.root, stack=choice.stack, environment=choice.environment, overrides=overrides
    )
    with masked_errors(Redactor(settings.secret_values()).text):
        return _resolved(choice, settings)


def _resolved(choice: Choice, settings: Settings) -> Blueprint:
    if choice.suite is not None:
        settings = _for_suite(settings, choice.suite)
    if choice.isolated:
        settings = _for_one(settings, choice)
    settings = with_credentials(settings, partial(secret_value, settings.cache, settings.stack))
    with masked_errors(Redactor(settings.secret_values()).text):
        return _planned(choice, settings)


def _planned(choice: Choice, settings: Settings) -> Blueprint:
    stack_file = load_stack_file(settings.compose_files, settings.variables)
    run = RunFolder(state_root(choice.environment), settings.project)
    known = read_about(run)
    if known is not None and not choice.profiles:
        settings = replace(settings, profiles=known.profiles)
    plan = _plan(choice, settings, stack_file, run, known.ports if known else {})
    plan = with_token(plan, _gateway_token(settings, run))
    engine = make_engine(settings.engine, settings, choice.environment)
    return Blueprint(choice, settings, stack_file, run, engine, plan)


def _gateway_token(settings: Settings, run: RunFolder) -> str:
    """The token that the user chose, else the one of the run that is there, else a new one."""
    chosen = settings.variables.get(TOKEN)
    return chosen or _kept_token(run) or secrets.token_hex(TOKEN_BYTES)


def _kept_token(run: RunFolder) -> str:
    """The token of the run that is there; empty where there is none that this user has kept."""
    try:
        return ownership.read_file(str(run.path), GATEWAY_SECRET).decode("ascii", "replace")
    except OSError:
        return ""


def _for_suite(settings: Settings, name: str) -> Settings:
    suite = settings.suite(name)
    profiles = tuple(dict.fromkeys([*settings.profiles, *suite.profiles]))
    project = f"{settings.stack}-{name.replace('_', '-')}-{secrets.token_hex(3)}"
    return replace(settings, project=project, profiles=profiles)


def _for_one(settings: Settings, choice: Choice) -> Settings:
    names = {*settings.environment, *choice.service_environment}
    environment = {
        name: {**settings.environment.get(name, {}), **choice.service_environment.get(name, {})}
        for name in names
    }
    return replace(
        settings,
        project=f"{settings.stack}-{secrets.token_hex(4)}",
        environment=environment,
        service_limits={**settings.service_limits, **choice.service_limits},
        coverage=False,
    )


def _plan(
    choice: Choice,
    settings: Settings,
    stack_file: StackFile,
    run: RunFolder,
    ports: Mapping[PortKey, int],
) -> Plan:
    if settings.engine == "attached":
        return attached_plan(settings, run.path)
    wanted = _needed_ports(choice, settings, stack_file)
    lent = {
        (one.service, target): port
        for one in choice.shared.values()
        for target, port in one.ports.items()
    }
    given = {**dict.fromkeys(wanted, UNDECIDED_PORT), **ports, **lent}
    return make_plan(
        settings,
        stack_file,
        engine=settings.engine,
        run_folder=run.path,
        ports=given,
        services=choice.services,
        shared=choice.shared,
    )


def _needed_ports(
    choice: Choice, settings: Settings, stack_file: StackFile, *, everything: bool = False
) -> tuple[PortKey, ...]:
    needed = needed_ports(
        settings,
        stack_file,
        engine=settings.engine,
        services=choice.services,
        everything=everything,
    )
    return tuple(key for key in needed if key[0] not in choice.shared)


def make_engine(name: str, settings: Settings, environment: Mapping[str, str]) -> Engine:
    """The engine of a name; Docker's client is loaded only for the one that needs it."""
    if name == "process":
        return ProcessEngine(environment, settings.cache)
    if name == "attached":
        return AttachedEngine()
    from stackproof.engines.compose.engine import ComposeEngine

    return ComposeEngine(environment)
