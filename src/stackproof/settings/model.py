"""The settings of one stack as plain, frozen data; each value knows where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from stackproof.errors import ConfigError
from stackproof.settings.native import NativeProgram
from stackproof.stack_file.model import Limits
from stackproof.stack_file.reading.suggestion import did_you_mean
from stackproof_redaction.names import tells_a_secret

SAFE_ENDINGS = ("_e2e", "_test")
"""How the name of a database ends that is made to be lost."""

SUITES = ("integration", "e2e", "e2e_llm")
"""Suites that exist without being configured."""


@dataclass(frozen=True)
class Origin:
    """Where a value came from.

    Attributes:
        name: A file, or words such as `environment STACKPROOF_ENGINE`, `command line`, `default`.
        line: Line in the file, counted from 1; None where there is no file.
    """

    name: str
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.name}:{self.line}" if self.line else self.name


DEFAULT = Origin("default")


@dataclass(frozen=True)
class Command:
    """A command that runs in the surroundings of a service."""

    service: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Database:
    """The database that migrate and seed work on; its name ends in `_e2e` or `_test`."""

    service: str
    name: str


@dataclass(frozen=True)
class Timeouts:
    """How long things may take, in seconds.

    Attributes:
        start: Until the whole stack is ready.
        stop: Upper bound of a service's own stop grace period; None for the stack file's.
        command: For one migrate or seed command.
    """

    start: float = 90.0
    stop: float | None = None
    command: float = 120.0


@dataclass(frozen=True)
class Suite:
    """One test suite.

    Attributes:
        name: Its name.
        paths: Paths below the root that pytest gets.
        profiles: Profiles of the stack file that it needs beside the configured ones.
        marker: The pytest marker that selects its tests.
        isolation: `shared` starts one stack for the whole suite; `session`, `module` and `test`
            start none, and the fixture `stack` gives tests their own.
    """

    name: str
    paths: tuple[str, ...]
    profiles: tuple[str, ...]
    marker: str
    isolation: str = "shared"


def usual_suite(name: str) -> Suite:
    """A suite that is not configured further than by its name."""
    return Suite(name, (f"tests/{name}",), (), name)


@dataclass(frozen=True)
class Isolation:
    """Whose the stacks of tests are, and how many are started ahead.

    Attributes:
        default: `test`, `module`, `session`, or `shared` for the running one; a test's marker and
            `--isolation` are stronger.
        shared: Services that the stacks of a test process have in common, each with a part of its
            own: a database of PostgreSQL, a logical database of Redis.
        pool: Stacks that are started ahead while a test runs; None for as many as the processors
            allow, 0 for none.
        memory: Bytes that must be free for a stack to be started ahead; None for 1 GiB.
        strict: Whether a stack is only started where its isolation receipt finds nothing open.
        preload: `auto` where Python services of the stacks of tests are forked from a process that
            has imported their packages, `off` where each starts anew.
        cold: Services that start anew in any case.
        data: `auto` where the data of a snapshot are seen through an overlay if that can be had,
            `copy` where each stack has a copy.
    """

    default: str = "test"
    shared: tuple[str, ...] = ()
    pool: int | None = None
    memory: int | None = None
    strict: bool = False
    preload: str = "auto"
    cold: tuple[str, ...] = ()
    data: str = "auto"


@dataclass(frozen=True)
class Settings:
    """All settings of one stack, merged from every layer.

    Attributes:
        root: The project's folder.
        stack: Name of the stack.
        config_file: The stack config that was read.
        compose_files: The stack file, as one or several Compose files, absolute.
        project: Name of this copy of the stack.
        engine: `process` or `compose`.
        world: What services see on the process engine: `private`, `host`, or `auto` for what this
            machine allows.
        profiles: Profiles of the stack file that are on.
        excluded: Services of the stack file that are left out.
        without: Those of them that the command line has named.
        variables: All that `${…}` in the stack file can see.
        ports: Host ports: service to its port, or to a mapping of container port to host port.
        database: The database that migrate and seed work on.
        gateway_service: Name of the service that stands in for a model provider.
        environment: Further environment by service.
        migrate: Commands that bring the schema up to date, in order.
        seed: Commands that bring the fixtures in, in order.
        limits: Upper bounds for every service that has none of its own.
        service_limits: Upper bounds by service, stronger than the stack file's.
        evidence: Queries whose rows are kept when a test fails.
        servers: Folders of server programs: name of an image (`postgres`) to its `bin`.
        images: Repositories of images to the programs that stand for them on the process engine.
        timeouts: How long things may take.
        secrets: Names of variables whose values are masked.
        coverage: Whether the coverage of the services is measured.
        hermetic: Whether services can reach nothing but each other (compose engine, private
            worlds).
        attached: Addresses of services that somebody else has started (attached engine).
        one_shots: Services that are expected to end by themselves with status 0.
        external: Hosts outside the stack that its services may use: `host`, `host:port`,
            `*.domain`, or the path of a socket or file.
        isolation: Whose the stacks of tests are.
        mounts: What becomes of writable mounts: source as written in the stack file, volume, or
            service:/target, to `share`, `copy` or `refuse`.
        suites: Test suites by name; read them with `suite`.
        artifacts: Folder of what a run leaves on purpose.
        cache: Folder of virtualenvs and prepared data folders.
        origins: Dotted key path, as a tuple, to where its value came from.
    """

    root: Path
    stack: str
    config_file: Path
    compose_files: tuple[Path, ...]
    project: str
    cache: Path
    artifacts: Path
    engine: str = "process"
    world: str = "auto"
    profiles: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    ports: Mapping[str, int | Mapping[int, int]] = field(default_factory=dict)
    database: Database | None = None
    gateway_service: str | None = None
    environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    migrate: tuple[Command, ...] = ()
    seed: tuple[Command, ...] = ()
    limits: Limits = Limits()
    service_limits: Mapping[str, Limits] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()
    servers: Mapping[str, Path] = field(default_factory=dict)
    images: Mapping[str, NativeProgram] = field(default_factory=dict)
    timeouts: Timeouts = Timeouts()
    secrets: tuple[str, ...] = ()
    coverage: bool = False
    hermetic: bool = False
    attached: Mapping[str, str] = field(default_factory=dict, repr=False)
    one_shots: tuple[str, ...] = ()
    external: tuple[str, ...] = ()
    isolation: Isolation = Isolation()
    mounts: Mapping[str, str] = field(default_factory=dict)
    suites: Mapping[str, Suite] = field(default_factory=dict)
    origins: Mapping[tuple[str, ...], Origin] = field(default_factory=dict, repr=False)

    def suite(self, name: str) -> Suite:
        """The suite of that name.

        Raises:
            ConfigError: If it is neither configured nor one of the built-in ones.
        """
        if name in self.suites:
            return self.suites[name]
        if name in SUITES:
            return usual_suite(name)
        raise ConfigError(
            f"there is no suite {name!r}",
            source=self.config_file,
            key="suites",
            remedy=did_you_mean(name, [*self.suites, *SUITES]),
        )

    def origin(self, key: str | tuple[str, ...]) -> Origin:
        """Where a value, or else the nearest mapping that it could stand in, was written."""
        path = tuple(key.split(".")) if isinstance(key, str) else key
        while path and path not in self.origins:
            path = path[:-1]
        return self.origins.get(path, DEFAULT)

    def refusal(
        self, key: tuple[str, ...], what: str, *, observed: str = "", remedy: str = ""
    ) -> ConfigError:
        """The error for a setting, with the place where it was written."""
        origin = self.origin(key)
        shown = key[:1] if key[0] == "mounts" else key  # its keys are paths, with dots in them
        return ConfigError(
            what,
            source=origin.name,
            line=origin.line,
            key=".".join(shown),
            observed=observed,
            remedy=remedy,
        )

    def source(self, key: str | tuple[str, ...]) -> str:
        """Where a value came from, such as `config/shop.yaml:14`, or `default`."""
        path = tuple(key.split(".")) if isinstance(key, str) else key
        return str(self.origins.get(path, DEFAULT))

    @property
    def stack_variables(self) -> dict[str, str]:
        """What `${…}` in the stack file sees: the variables, and the name of this copy."""
        return {**self.variables, "COMPOSE_PROJECT_NAME": self.project}

    def is_secret(self, name: str) -> bool:
        """Whether the value of a variable of that name is a secret."""
        return name in self.secrets or tells_a_secret(name)

    def secret_values(self) -> tuple[str, ...]:
        """The values of all secret variables among the settings, without the empty ones."""
        found = [
            value
            for group in (self.variables, *self.environment.values())
            for name, value in group.items()
            if value and self.is_secret(name)
        ]
        for url in self.attached.values():
            found += [_password(url), unquote(_password(url))]
        return tuple(entry for entry in dict.fromkeys(found) if entry)


def _password(url: str) -> str:
    """The password in a URL, as written; empty without one."""
    return url.partition("://")[2].rpartition("@")[0].partition(":")[2]
