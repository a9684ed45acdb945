"""The settings of one stack as plain, frozen data; each value knows where it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from stackproof.errors import ConfigError
from stackproof.redaction import MASK, Redactor
from stackproof.redaction.names import tells_a_secret
from stackproof.settings.suggestion import did_you_mean
from stackproof.stack_file.model import Limits

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
class SettingLine:
    """One setting, as `invoke config` shows it.

    Attributes:
        key: Dotted path, such as `ports.api`.
        value: The value as text; masked where it is, or holds, a secret.
        source: Where it came from.
        secret: Whether the value is masked as a whole.
    """

    key: str
    value: str
    source: str
    secret: bool


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
    """

    default: str = "test"
    shared: tuple[str, ...] = ()
    pool: int | None = None
    memory: int | None = None


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
        profiles: Profiles of the stack file that are on.
        variables: All that `${…}` in the stack file can see.
        ports: Host ports: service to its port, or to a mapping of container port to host port.
        database: The database that migrate and seed work on.
        gateway_service: Name of the service that stands in for a model provider.
        environment: Further environment by service.
        migrate: Commands that bring the schema up to date, in order.
        seed: Commands that bring the fixtures in, in order.
        limits: Upper bounds for every service that has none of its own.
        service_limits: Upper bounds by service, stronger than the stack file's.
        servers: Folders of server programs: name of an image (`postgres`) to its `bin`.
        timeouts: How long things may take.
        secrets: Names of variables whose values are masked.
        coverage: Whether the coverage of the services is measured.
        hermetic: Whether services can reach nothing but each other (compose engine).
        attached: Addresses of services that somebody else has started (attached engine).
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
    engine: str
    cache: Path
    artifacts: Path
    profiles: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    ports: Mapping[str, int | Mapping[int, int]] = field(default_factory=dict)
    database: Database | None = None
    gateway_service: str | None = None
    environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    migrate: tuple[Command, ...] = ()
    seed: tuple[Command, ...] = ()
    limits: Limits = Limits()
    service_limits: Mapping[str, Limits] = field(default_factory=dict)
    servers: Mapping[str, Path] = field(default_factory=dict)
    timeouts: Timeouts = Timeouts()
    secrets: tuple[str, ...] = ()
    coverage: bool = False
    hermetic: bool = False
    attached: Mapping[str, str] = field(default_factory=dict, repr=False)
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
        found = self.suites.get(name)
        if found is not None:
            return found
        if name in SUITES:
            return Suite(name, (f"tests/{name}",), (), name)
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

    def source(self, key: str | tuple[str, ...]) -> str:
        """Where a value came from, such as `config/shop.yaml:14`, or `default`."""
        path = tuple(key.split(".")) if isinstance(key, str) else key
        return str(self.origins.get(path, DEFAULT))

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
        return tuple(one for one in dict.fromkeys(found) if one)

    def explain(self) -> list[SettingLine]:
        """Every setting with its source, secrets masked, in a fixed order."""
        redactor = Redactor(self.secret_values())
        lines = []
        for path, value in self._leaves():
            hidden = path[0] in {"variables", "environment"} and self.is_secret(path[-1])
            shown = MASK if hidden else redactor.text(_text(value))
            lines.append(SettingLine(".".join(path), shown, self.source(path), hidden))
        return lines

    def _leaves(self) -> Iterator[tuple[tuple[str, ...], Any]]:
        hidden = {"root", "origins", "config_file"}
        for name, value in vars(self).items():
            if name in hidden:
                continue
            if name == "service_limits":
                yield from _flatten(("limits", "services"), value)
            elif name == "gateway_service":
                yield from _flatten(("gateway", "service"), value)
            else:
                yield from _flatten((name,), value)


def _password(url: str) -> str:
    """The password in a URL, as written; empty without one."""
    return url.partition("://")[2].rpartition("@")[0].partition(":")[2]


def _flatten(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Limits | Timeouts | Database | Suite | Isolation):
        value = {
            key: item for key, item in vars(value).items() if key != "name" or path[0] != "suites"
        }
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flatten((*path, str(key)), item)
    elif value is not None:
        yield path, value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Command):
        return f"{value.service}: {' '.join(value.command)}"
    if isinstance(value, tuple):
        return ", ".join(_text(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
