"""Reads the merged layers of a stack config as settings: checked, paths absolute."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from stackproof.settings.model import (
    SAFE_ENDINGS,
    Command,
    Database,
    Isolation,
    Suite,
    Timeouts,
    usual_suite,
)
from stackproof.settings.native import read_images
from stackproof.stack_file.model import Limits
from stackproof.stack_file.reading.fields import Field
from stackproof.stack_file.reading.scalars import LARGEST_SIZE, shown
from stackproof.stack_file.regular_files import real_path
from stackproof_redaction import MASK

N = TypeVar("N", int, float)

_PROJECT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
"""What Docker Compose accepts as a project name."""

_VIEW = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?")
_QUERY = re.compile(r"(?:select|with|table|values)\b", re.IGNORECASE)

_ISOLATION = ("shared", "session", "module", "test")


def read_config(top: Field, root: Path, file: Path) -> dict[str, Any]:
    """The values of `Settings` that the merged layers set; the others have their defaults.

    Args:
        top: The layers, merged.
        root: The project's folder, which `artifacts`, `cache` and `servers` are relative to.
        file: The stack config, whose folder `compose_files` are relative to.

    Raises:
        ConfigError: If a key is unknown, or a value wrong, with where it was written.
    """

    def path(field: Field) -> Path:
        if not field.text():
            field.fail("this path is empty", remedy="write a path, or remove the key")
        return real_path(root, field.text())

    def compose_files(field: Field) -> tuple[Path, ...]:
        return tuple(real_path(file.parent, name) for name in _some(field))

    found = top.section(
        {**KEYS, "compose_files": compose_files, "servers": _each(path), "artifacts": path,
         "cache": path},
        needs=("compose_files",),
    )  # fmt: skip
    if "gateway" in found:
        found["gateway_service"] = found.pop("gateway")
    if "services" in found:
        found["excluded"] = found.pop("services")
    if "limits" in found:
        found["limits"], found["service_limits"] = found["limits"]
    return found


def _each(reader: Callable[[Field], Any]) -> Callable[[Field], dict[str, Any]]:
    """Reads a mapping with free keys."""
    return lambda field: {name: reader(item) for name, item in field.mapping().items()}


def _value(field: Field) -> str:
    """A scalar as the text that an environment variable gets."""
    return "" if field.value is None else field.text()


def _some(field: Field) -> tuple[str, ...]:
    """A list of texts that has at least one."""
    found = field.texts()
    if not found:
        field.fail("this list is empty", remedy="write at least one entry")
    return found


def _switch(field: Field) -> bool:
    return (
        {"1": True, "0": False}[text] if (text := _value(field)) in {"0", "1"} else field.boolean()
    )


def _above_zero(reader: Callable[[Field], N]) -> Callable[[Field], N]:
    def read(field: Field) -> N:
        found = reader(field)
        if not 0 < found <= LARGEST_SIZE:
            field.fail(f"this must be greater than 0, not {shown(field.value)}",
                       remedy="correct it, or remove the key")  # fmt: skip
        return found

    return read


def _count(field: Field) -> int:
    found = field.integer()
    if found < 0:
        field.fail("this must not be negative", remedy="write 0 or more")
    return found


def _ports(field: Field) -> int | dict[int, int]:
    if not isinstance(field.value, dict):
        return field.port()
    return {
        Field(replace(item.node, value=name), item.key).port("a container port"): item.port()
        for name, item in field.mapping().items()
    }


def _project(field: Field) -> str:
    text = field.text()
    if not _PROJECT_NAME.fullmatch(text):
        field.fail(f"{shown(text)} can't be the name of a project",
                   remedy="use lower-case letters, digits, _ and -; begin with a letter or "
                   "digit")  # fmt: skip
    return text


def _database_name(field: Field) -> str:
    text = field.text()
    if not text.endswith(SAFE_ENDINGS):
        field.fail(f"the name must end in {' or '.join(SAFE_ENDINGS)}, not be {shown(text)}",
                   remedy="choose a database that is made to be lost")  # fmt: skip
    return text


def _external(field: Field) -> tuple[str, ...]:
    hosts = Field.names(field)
    for host in hosts:
        is_everything = not host.strip("*. ")
        if is_everything or "://" in host or "@" in host or "*" in host.removeprefix("*."):
            field.fail(
                f"{MASK if '@' in host else shown(host)} is not the name of a host",
                remedy="write payments.example, *.internal.example or payments.example:8443",
            )
    return hosts


def _list(field: Field) -> tuple[str, ...]:
    if not isinstance(field.value, list):
        field.wrong_type(["a list"])
    return _some(field)


def _command(field: Field) -> Command:
    keys = {"service": Field.text, "command": _list}
    return Command(**field.section(keys, needs=tuple(keys)))  # type: ignore[arg-type] # as its keys are read


def _commands(field: Field) -> tuple[Command, ...]:
    return tuple(_command(item) for item in field.entries())


def _database(field: Field) -> Database:
    keys = {"service": Field.text, "name": _database_name}
    return Database(**field.section(keys, needs=tuple(keys)))


def _excluded(field: Field) -> tuple[str, ...]:
    return field.section({"exclude": Field.names}, needs=("exclude",))["exclude"]


def _gateway(field: Field) -> str:
    return field.section({"service": Field.text}, needs=("service",))["service"]


_BOUNDS: Mapping[str, Callable[[Field], Any]] = {
    "cpus": _above_zero(Field.number),
    "memory": _above_zero(Field.size),
    "pids": _above_zero(Field.integer),
}


def _service_limits(field: Field) -> Limits:
    return Limits(**field.section(_BOUNDS))


def _limits(field: Field) -> tuple[Limits, dict[str, Limits]]:
    found = field.section({**_BOUNDS, "services": _each(_service_limits)})
    services = found.pop("services", {})
    return Limits(**found), services


def _timeouts(field: Field) -> Timeouts:
    return Timeouts(
        **field.section(dict.fromkeys(("start", "stop", "command"), _above_zero(Field.seconds)))
    )


def _isolation_mode(field: Field) -> str:
    return field.one_of(_ISOLATION)


def _preload(field: Field) -> str:
    return field.one_of(("auto", "off"))


def _data(field: Field) -> str:
    return field.one_of(("auto", "copy"))


def _isolation(field: Field) -> Isolation:
    readers: Mapping[str, Callable[[Field], Any]] = {
        "default": _isolation_mode,
        "shared": Field.names,
        "pool": _count,
        "memory": _above_zero(Field.size),
        "strict": _switch,
        "preload": _preload,
        "data": _data,
        "cold": Field.names,
    }
    return Isolation(**field.section(readers))


def _suites(field: Field) -> dict[str, Suite]:
    readers: Mapping[str, Callable[[Field], Any]] = {
        "paths": Field.texts, "profiles": Field.names, "marker": Field.text,
        "isolation": _isolation_mode,
    }  # fmt: skip
    found = {name: suite.section(readers) for name, suite in field.mapping().items()}
    return {
        name: replace(usual_suite(name), **{key: value for key, value in keys.items() if value})
        for name, keys in found.items()
    }


def _engine(field: Field) -> str:
    return field.one_of(("process", "compose", "attached"))


def _world(field: Field) -> str:
    return field.one_of(("auto", "private", "host"))


def _mount(field: Field) -> str:
    return field.one_of(("share", "copy", "refuse"))


def _evidence(field: Field) -> tuple[str, ...]:
    """The queries under `sql`; the name of a view or table stands for all its rows."""
    return field.section({"sql": _queries}, needs=("sql",))["sql"]


def _queries(field: Field) -> tuple[str, ...]:
    found = []
    for item in field.entries():
        text = item.text().strip().removesuffix(";").rstrip()
        if _VIEW.fullmatch(text):
            text = f"select * from {text}"  # noqa: S608 - a name, of the user's own file
        elif not _QUERY.match(text) or ";" in text:
            item.fail("this is neither the name of a view nor one query",
                      remedy="write the name of a view, or one `select …`")  # fmt: skip
        found.append(text)
    return tuple(found)


KEYS: Mapping[str, Callable[[Field], Any]] = {
    "stack": Field.text,
    "project": _project,
    "engine": _engine,
    "world": _world,
    "attached": _each(_value),
    "profiles": Field.names,
    "services": _excluded,
    "variables": _each(_value),
    "ports": _each(_ports),
    "database": _database,
    "gateway": _gateway,
    "environment": _each(_each(_value)),
    "migrate": _commands,
    "seed": _commands,
    "limits": _limits,
    "timeouts": _timeouts,
    "secrets": Field.names,
    "coverage": _switch,
    "hermetic": _switch,
    "one_shots": Field.names,
    "external": _external,
    "isolation": _isolation,
    "mounts": _each(_mount),
    "images": read_images,
    "suites": _suites,
    "evidence": _evidence,
}
