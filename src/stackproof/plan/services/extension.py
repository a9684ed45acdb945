"""`x-stackproof` of a service: what a Compose file has no word for."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackproof.plan.runtime import AUTO, OFF
from stackproof.plan.services.probes import is_http
from stackproof.stack_file.model import Service, StackFile
from stackproof.stack_file.reading.fields import Field
from stackproof.stack_file.regular_files import real_path

OWN_ENVIRONMENT = "stackproof"

_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True)
class Ready:
    """`ready`: one kind of probe with its value, addresses as seen inside the container.

    Attributes:
        kind: `log`, `http`, `tcp`, `alive`, `command` or `sql`.
        value: A pattern, URL, container port, number of seconds, command, or query.
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
        preload: `auto`, `off`, or modules that are imported ahead of its starts in tests.
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
    preload: str | tuple[str, ...] = AUTO


def read_extension(stack_file: StackFile, service: Service) -> Extension:
    """Check `x-stackproof` of a service.

    Args:
        stack_file: Where it stands; its project directory is what paths are relative to.
        service: The service.

    Raises:
        ConfigError: If a key is unknown or has the wrong type, with file and line.
    """

    def path(field: Field) -> Path:
        return real_path(stack_file.project_directory, field.written())

    def paths(field: Field) -> tuple[Path, ...]:
        return tuple(path(item) for item in field.entries())

    field = stack_file.field(f"services.{service.name}.x-stackproof", service.extension)
    readers: Mapping[str, Callable[[Field], Any]] = {
        "project": path,
        "lock": path,
        "source": paths,
        "python": _python,
        "command": _command,
        "environment": _environment,
        "environment_of": _own_environment,
        "ready": _ready,
        "ports": _ports,
        "bindir": path,
        "data": _data,
        "preload": _preload,
    }
    found = field.section(readers)
    return Extension(own_environment=found.pop("environment_of", False), **found)


def _python(field: Field) -> str:
    if isinstance(field.value, float) and field.value < 3.3:  # noqa: PLR2004 - 3.10 as a number is 3.1
        field.fail(f"the number {field.value} may stand for Python {field.value}0",
                   remedy=f'write it in quotes: "{field.value}0"')  # fmt: skip
    return field.text()


def _command(field: Field) -> tuple[str, ...]:
    words = field.words(shlex.split)
    if not words:
        field.fail("this command is empty", remedy="write a program and its arguments")
    return words


def _environment(field: Field) -> dict[str, str]:
    return {
        name: "" if item.value is None else item.text() for name, item in field.mapping().items()
    }


def _own_environment(field: Field) -> bool:
    if field.text() not in {"", OWN_ENVIRONMENT}:
        field.fail(
            f"the environment {field.text()!r} can't be shared",
            remedy=f"write {OWN_ENVIRONMENT}, or remove the key",
        )
    return bool(field.text())


def _ports(field: Field) -> tuple[int, ...]:
    return tuple(item.port() for item in field.sequence())


def _data(field: Field) -> tuple[str, ...]:
    paths = tuple(posixpath.normpath(item.written()) for item in field.entries())
    if not all(path.startswith("/") and path.strip("/") for path in paths):
        field.fail("this must be an absolute path in the container, or a list of them",
                   remedy="write for example [/var/lib/thing]")  # fmt: skip
    return paths


def _preload(field: Field) -> str | tuple[str, ...]:
    if not isinstance(field.value, list):
        return field.one_of((AUTO, OFF))
    names = field.texts()
    if not names or not all(_MODULE.fullmatch(name) for name in names):
        field.fail("this is no list of modules", remedy="write it like [numpy, sqlalchemy.orm]")
    return names


def _ready(field: Field) -> Ready:
    found = field.section(_READY) if isinstance(field.value, dict) else {}
    if len(found) != 1:
        field.fail(
            "this must be a mapping with one key",
            remedy="write one of {log: regex}, {http: url}, {tcp: port}, {alive: s}, "
            "{command: […]}, {sql: select …}",
        )
    return Ready(*found.popitem())


def _seconds(field: Field) -> float:
    seconds = field.number()
    if not seconds:
        field.fail("this must be more than 0 seconds", remedy="write it like 0.5")
    return seconds


def _url(field: Field) -> str:
    url = field.written()
    if not (url.startswith("/") or is_http(url)):
        field.fail("this must be a URL, or a path that begins with /",
                   remedy="write it like http://localhost:8000/health")  # fmt: skip
    return url


def _pattern(field: Field) -> str:
    try:
        re.compile(field.written())
    except (re.error, OverflowError, RecursionError, ValueError) as error:
        field.fail(f"this is not a regular expression: {error}", remedy="correct it")
    return field.written()


def _query(field: Field) -> str:
    text = field.written().strip().removesuffix(";").rstrip()
    if not text or ";" in text:
        field.fail("this is not one query", remedy="write one `select …`")
    return text


_READY: Mapping[str, Callable[[Field], Any]] = {
    "alive": _seconds,
    "command": _command,
    "http": _url,
    "log": _pattern,
    "sql": _query,
    "tcp": Field.port,
}
