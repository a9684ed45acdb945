"""`x-stackproof` of a service: what a Compose file has no word for."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from stackproof.errors import ConfigError
from stackproof.plan.services.probes import is_http
from stackproof.settings.suggestion import did_you_mean
from stackproof.stack_file.model import Location, Service, StackFile
from stackproof.stack_file.regular_files import real_path
from stackproof.stack_file.scalars import whole_number

KEYS = (
    "bindir",
    "command",
    "data",
    "environment",
    "environment_of",
    "lock",
    "ports",
    "project",
    "python",
    "ready",
    "source",
)
READY_KEYS = ("alive", "command", "http", "log", "tcp")
OWN_ENVIRONMENT = "stackproof"


@dataclass(frozen=True)
class Ready:
    """`ready`: one kind of probe with its value, addresses as seen inside the container.

    Attributes:
        kind: `log`, `http`, `tcp`, `alive` or `command`.
        value: A pattern, URL, container port, number of seconds, or command.
    """

    kind: str
    value: Any


@dataclass(frozen=True)
class Extension:
    """`x-stackproof` of a service, checked; None and empty where a key is not there.

    Attributes:
        project: Folder of the Python project.
        lock: Its requirements file.
        source: Folders to put on the import path.
        python: Version of Python.
        command: What to run instead of entrypoint and command.
        environment: Variables beside those of the stack file.
        ready: What shows that the service is ready.
        own_environment: Run with the Python environment that stackproof itself runs in.
        ports: Container ports that are written nowhere else.
        bindir: Folder of the server's programs.
        data: Container paths of what a snapshot has to keep, beside the volumes.
    """

    project: Path | None = None
    lock: Path | None = None
    source: tuple[Path, ...] = ()
    python: str = ""
    command: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: Ready | None = None
    own_environment: bool = False
    ports: tuple[int, ...] = ()
    bindir: Path | None = None
    data: tuple[str, ...] = ()


def location(stack_file: StackFile, key: str) -> Location | None:
    """Where a key, or its nearest parent that is known, was written."""
    while key:
        if key in stack_file.locations:
            return stack_file.locations[key]
        key = key.rpartition(".")[0]
    return None


def read_extension(stack_file: StackFile, service: Service) -> Extension:
    """Check `x-stackproof` of a service.

    Args:
        stack_file: Where it stands; its project directory is what paths are relative to.
        service: The service.

    Raises:
        ConfigError: If a key is unknown or has the wrong type, with file and line.
    """
    return _Reader(stack_file, service).read()


class _Reader:
    def __init__(self, stack_file: StackFile, service: Service) -> None:
        self.stack_file = stack_file
        self.values = service.extension
        self.prefix = f"services.{service.name}.x-stackproof"

    def read(self) -> Extension:
        for key in self.values:
            if key not in KEYS:
                self._refuse(key, "this key is unknown", did_you_mean(str(key), KEYS))
        return Extension(
            project=self._path("project"),
            lock=self._path("lock"),
            source=tuple(self._paths("source")),
            python=self._text("python"),
            command=self._command("command", self.values.get("command")),
            environment=self._environment(),
            ready=self._ready(),
            own_environment=self._own_environment(),
            ports=tuple(self._ports()),
            bindir=self._path("bindir"),
            data=tuple(self._data()),
        )

    def _refuse(self, key: str, what: str, remedy: str = "") -> NoReturn:
        place = location(self.stack_file, f"{self.prefix}.{key}")
        raise ConfigError(
            what,
            source=place.source if place else None,
            line=place.line if place else None,
            key=f"{self.prefix}.{key}",
            remedy=remedy,
        )

    def _text(self, key: str) -> str:
        value = self.values.get(key)
        if value is None:
            return ""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self._refuse(key, "should be text")
        return str(value)

    def _path(self, key: str) -> Path | None:
        value = self._text(key)
        return real_path(self.stack_file.project_directory, value) if value else None

    def _paths(self, key: str) -> list[Path]:
        value = self.values.get(key, [])
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list | tuple) or not all(isinstance(one, str) for one in values):
            self._refuse(key, "should be a folder or a list of folders")
        return [real_path(self.stack_file.project_directory, one) for one in values]

    def _command(self, key: str, value: Any) -> tuple[str, ...] | None:
        if value is None:
            return None
        if isinstance(value, str):
            try:
                return tuple(shlex.split(value))
            except ValueError as error:
                self._refuse(key, f"is no command: {error}", "close the quotes, or write a list")
        if not isinstance(value, list | tuple) or not value:
            self._refuse(key, "should be a command: text or a list")
        return tuple(str(one) for one in value)

    def _environment(self) -> dict[str, str]:
        value = self.values.get("environment", {})
        if not isinstance(value, Mapping):
            self._refuse("environment", "should be a mapping of names to values")
        return {str(name): _scalar(item) for name, item in value.items()}

    def _own_environment(self) -> bool:
        value = self._text("environment_of")
        if value not in {"", OWN_ENVIRONMENT}:
            self._refuse(
                "environment_of",
                f"{value!r} is no environment that can be shared",
                f"write {OWN_ENVIRONMENT}, or remove the key",
            )
        return bool(value)

    def _ports(self) -> list[int]:
        value = self.values.get("ports", [])
        if not isinstance(value, list | tuple):
            self._refuse("ports", "should be a list of container ports")
        return [self._port("ports", one) for one in value]

    def _port(self, key: str, value: Any) -> int:
        number = None if isinstance(value, bool) else whole_number(str(value))
        if number is None or not 0 < number < 65536:  # noqa: PLR2004 - the last port
            self._refuse(key, f"{value!r} is no port")
        return number

    def _data(self) -> list[str]:
        value = self.values.get("data", [])
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list | tuple) or not all(_is_container_path(x) for x in values):
            self._refuse(
                "data",
                "should be an absolute path in the container, or a list of such",
                "write for example [/var/lib/thing]",
            )
        return [posixpath.normpath(one) for one in values]

    def _ready(self) -> Ready | None:
        value = self.values.get("ready")
        if value is None:
            return None
        example = "write one of {log: regex}, {http: url}, {tcp: port}, {alive: s}, {command: […]}"
        if not isinstance(value, Mapping) or len(value) != 1:
            self._refuse("ready", "should be a mapping with one key", example)
        kind, what = next(iter(value.items()))
        if kind not in READY_KEYS:
            self._refuse(f"ready.{kind}", "this key is unknown", did_you_mean(kind, READY_KEYS))
        return Ready(kind, self._ready_value(kind, what))

    def _ready_value(self, kind: str, value: Any) -> Any:
        key = f"ready.{kind}"
        if kind == "tcp":
            return self._port(key, value)
        if kind == "command":
            return self._command(key, value)
        if kind == "alive":
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not 0 < value < float("inf"):
                self._refuse(key, "should be a number of seconds")
            return float(value)
        if not isinstance(value, str):
            self._refuse(key, "should be text")
        if kind == "http" and not (value.startswith("/") or is_http(value)):
            self._refuse(key, "should be a URL, or a path that begins with /")
        if kind == "log":
            try:
                re.compile(value)
            except (re.error, OverflowError, RecursionError, ValueError) as error:
                self._refuse(key, f"is no regular expression: {error}")
        return value


def _is_container_path(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("/") and posixpath.normpath(value) != "/"


def _scalar(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
