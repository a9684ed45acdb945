"""A value of a file, a variable or an option, together with where it was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Location:
    """Where a value was written.

    Attributes:
        source: The file, or words such as `environment STACKPROOF_ENGINE`, `command line`.
        line: Line in the file, counted from 1; None where there is no file.
    """

    source: Path | str
    line: int | None = None

    @property
    def short(self) -> str:
        """File and line without the folder, such as `compose.yaml:7`."""
        return f"{Path(self.source).name}:{self.line}"


@dataclass
class Node:
    """One value.

    Attributes:
        value: None, bool, int, float, str, a list of nodes, or nodes by key.
        where: Where it was written.
        tag: `!reset` or `!override`, or empty.
        size: Number of nodes below it, aliases followed, itself included.
        text: A scalar as written.
    """

    value: Any
    where: Location
    tag: str = ""
    size: int = 1
    text: str = ""


def node_of(value: Any, locate: Callable[[str], Location], key: str = "") -> Node:
    """Plain Python values as nodes.

    Args:
        value: The values.
        locate: Where the value of a dotted key was written.
        key: Where the values stand.
    """
    if isinstance(value, Mapping):
        value = {
            str(name): node_of(item, locate, dotted((key, str(name))))
            for name, item in value.items()
        }
    elif isinstance(value, list | tuple):
        value = [node_of(item, locate, f"{key}[{at}]") for at, item in enumerate(value)]
    return Node(value, locate(key))


def walk(
    node: Node, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], Node]]:
    """Every node below one, with its path; the node itself first."""
    yield path, node
    if isinstance(node.value, dict):
        for key, child in node.value.items():
            yield from walk(child, (*path, key))
    elif isinstance(node.value, list):
        for index, child in enumerate(node.value):
            yield from walk(child, (*path, index))


def dotted(path: tuple[str | int, ...]) -> str:
    """A path as errors show it, such as `services.api.ports[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(
        "."
    )
