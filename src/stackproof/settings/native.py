"""`images` of a stack config: which program stands for an image on the process engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stackproof.stack_file.reading.fields import Field

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_LARGEST_PORT = 65535


@dataclass(frozen=True)
class NativeProgram:
    """A program that stands for an image.

    Attributes:
        program: Name of the program.
        port: The container port that it listens on.
        command: Its arguments where the stack file has no command.
        wheel: The wheel that has it, where this machine has none.
        debian: Debian's packages that have it, its own first.
        folder: Its folder in these packages.
        version: The option that prints its version.
        scheme: URL scheme of its port.
    """

    program: str
    port: int
    command: tuple[str, ...] = ()
    wheel: str = ""
    debian: tuple[str, ...] = ()
    folder: str = "usr/bin"
    version: str = "--version"
    scheme: str = "tcp"


def read_images(field: Field) -> dict[str, NativeProgram]:
    """Repository of an image to the program that stands for it.

    Raises:
        ConfigError: If an entry is wrong.
    """
    return {name: _program(entry) for name, entry in field.mapping().items()}


def _program(field: Field) -> NativeProgram:
    found = NativeProgram(**field.section(_KEYS, needs=("program", "port")))
    if ":" in field.key.rpartition("/")[2]:
        field.fail("this is an image with a tag", remedy="write its name alone")
    return found


def _name(field: Field) -> str:
    text = field.text()
    if not _NAME.fullmatch(text):
        field.fail(f"{text!r} can't be the name of a program or package",
                   remedy="write letters, digits, dots, + and -")  # fmt: skip
    return text


def _names(field: Field) -> tuple[str, ...]:
    return tuple(_name(entry) for entry in field.entries())


def _port(field: Field) -> int:
    port = field.integer()
    if not 0 < port <= _LARGEST_PORT:
        field.fail(f"{port} is no port", remedy=f"write a number from 1 to {_LARGEST_PORT}")
    return port


def _folder(field: Field) -> str:
    text = field.text()
    if text.startswith("/") or ".." in text.split("/"):
        field.fail("this is no folder below /", remedy="write it like usr/sbin")
    return text


_KEYS: Mapping[str, Callable[[Field], Any]] = {
    "program": _name,
    "port": _port,
    "command": Field.words,
    "wheel": _name,
    "debian": _names,
    "folder": _folder,
    "version": Field.text,
    "scheme": _name,
}
