"""Services that extend others, of the same file or of another one.

Source: the Compose Specification, "Extend".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from stackproof.stack_file.merge import merge_services
from stackproof.stack_file.mounts import host_path
from stackproof.stack_file.reading.fields import Field
from stackproof.stack_file.reading.nodes import Node
from stackproof.stack_file.reading.suggestion import did_you_mean

MOST_INHERITED = 1_000_000
"""Entries that all services together may get by `extends`."""


class _Place(NamedTuple):
    """A service.

    Attributes:
        file: Its file.
        name: Its name.
        folder: What its relative paths belong to: the project folder for the files of the stack,
            the folder of its file for one that is only extended.
    """

    file: Path
    name: str
    folder: Path


class Extending:
    """Services together with all that they extend, each made once.

    Args:
        base: The project folder.
        read: Gives the root of a file.
    """

    def __init__(self, base: Path, read: Callable[[Path], Node]) -> None:
        self.base = base
        self.read = read
        self.whole: dict[_Place, Node] = {}
        self.inherited = 0

    def service(self, file: Path, name: str) -> Node:
        """A service of one of the stack's files, with all that it extends."""
        place = _Place(file, name, self.base)
        chain: dict[_Place, tuple[Field, _Place]] = {}
        while place not in self.whole:
            field = self._service_field(place)
            if not isinstance(field.value, dict) or "extends" not in field.value:
                self.whole[place] = field.node
                break
            extends = field.child("extends")
            other = self._target(extends, place)
            if other in chain or other == place:
                names = " → ".join(known.name for known in [*chain, place, other])
                extends.fail(f"services extend each other in a circle: {names}",
                             remedy="remove one of the extends")  # fmt: skip
            if other not in self.whole:
                self._refuse_unknown(extends, other)
            chain[place] = field, other
            place = other
        for below, (field, other) in reversed(chain.items()):
            place = below
            self.whole[below] = self._inherit(field, self.whole[other], other.folder)
        return self.whole[place]

    def _service_field(self, place: _Place) -> Field:
        return Field(self.read(place.file), "").child("services").child(place.name)

    def _target(self, extends: Field, place: _Place) -> _Place:
        if isinstance(extends.value, str):
            return place._replace(name=extends.value)
        extends.refuse_unknown(["service", "file"])
        service = extends.read("service", Field.text, place.name)
        written = extends.read("file", Field.text)
        if written is None:
            return place._replace(name=service)
        file = host_path(written, place.folder)
        if not file.exists():
            extends.child("file").fail(
                f"{file} does not exist", remedy=f"write a path relative to {place.folder}"
            )
        return _Place(file, service, file.parent)

    def _refuse_unknown(self, extends: Field, other: _Place) -> None:
        services = self.read(other.file).value.get("services")
        known = services.value if services is not None else None
        if not isinstance(known, dict) or other.name not in known:
            extends.fail(
                f"{other.file} has no service {other.name!r}",
                remedy=did_you_mean(other.name, known if isinstance(known, dict) else ()),
            )

    def _inherit(self, field: Field, below: Node, folder: Path) -> Node:
        if not isinstance(below.value, dict):
            return field.node
        if folder != self.base:
            below = rebased(below, folder)
        merged = merge_services(_without_extends(below), _without_extends(field.node))
        parts = merged.value.values() if isinstance(merged.value, dict) else ()
        self.inherited += sum(
            len(part.value) if isinstance(part.value, dict | list) else 1 for part in parts
        )
        if self.inherited > MOST_INHERITED:
            field.child("extends").fail(
                f"the services inherit more than {MOST_INHERITED:,} entries",
                remedy="use extends in fewer services",
            )
        return merged


def _without_extends(service: Node) -> Node:
    kept = {key: part for key, part in service.value.items() if key != "extends"}
    return replace(service, value=kept)


def rebased(service: Node, folder: Path) -> Node:
    """A service of a file in another folder: its relative paths belong to that folder.

    Args:
        service: The service.
        folder: The folder.
    """
    changed = {
        key: _rebased_paths(service.value[key], folder, key)
        for key in ("volumes", "env_file", "build")
        if key in service.value
    }
    return replace(service, value=service.value | changed)


def _rebased_paths(node: Node, folder: Path, key: str) -> Node:
    if isinstance(node.value, list):
        return replace(node, value=[_rebased_paths(item, folder, key) for item in node.value])
    if isinstance(node.value, dict):
        return _rebased_long_form(node, folder, key)
    if not isinstance(node.value, str):
        return node
    if key != "volumes":
        return replace(node, value=str(host_path(node.value, folder)))
    source, colon, rest = node.value.partition(":")
    if colon and source.startswith("."):
        return replace(node, value=f"{host_path(source, folder)}:{rest}")
    return node


def _rebased_long_form(node: Node, folder: Path, key: str) -> Node:
    inner = {"volumes": "source", "env_file": "path", "build": "context"}[key]
    kind = node.value.get("type")
    if key == "build" and inner not in node.value:
        return replace(node, value={**node.value, inner: replace(node, value=str(folder))})
    if inner not in node.value or (key == "volumes" and kind and kind.value != "bind"):
        return node
    below = _rebased_paths(node.value[inner], folder, "env_file")
    return replace(node, value={**node.value, inner: below})
