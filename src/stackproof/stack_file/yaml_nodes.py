"""YAML text → nodes that know their line, with the scalar rules of Compose's own reader.

Source: go-yaml v3: yes, no, on and off are texts, keys are texts, `<<` merges mappings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from stackproof.errors import ConfigError
from stackproof.stack_file.model import Location
from stackproof.stack_file.scalars import unusable_letter
from stackproof.stack_file.yaml_scalars import plain_value

DEEPEST = 60
"""Levels of nesting; real files have about ten."""

MOST_NODES = 100_000
"""Nodes after aliases are followed, so that a small file can't grow without bound."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OWN_TAGS = {"!reset", "!override"}
_STRING_TAG = "tag:yaml.org,2002:str"


@dataclass
class Node:
    """One value of a file.

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


@dataclass
class _Open:
    node: Node
    anchor: str | None
    key: Node | None = None
    merged: list[Node] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)


def read_yaml(path: Path, text: str | bytes) -> Node:
    """The one document of a YAML text.

    Args:
        path: Named in errors and locations.
        text: The text; bytes are UTF-8.

    Raises:
        ConfigError: If it is no such document, with the line.
    """
    if isinstance(text, bytes):
        text = _decode(path, text)
    try:
        return _Builder(path).build(text.removeprefix("\ufeff"))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        problem = " ".join(filter(None, (error.context, error.problem)))
        raise ConfigError(
            f"this is not YAML: {problem}", source=path, line=line, remedy="check the indentation"
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"this is not YAML: {error}", source=path) from None


def _decode(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(
            "this is not UTF-8 text", source=path, line=line, remedy="save the file as UTF-8"
        ) from None


class _Builder:
    """Builds nodes from parser events, without recursion."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.anchors: dict[str, Node] = {}
        self.open: list[_Open] = []
        self.root: Node | None = None
        self.merged = 0

    def build(self, text: str) -> Node:
        documents = 0
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._fail("a stack file has one document", event)
            self._take(event)
        if self.root is None:
            raise ConfigError("the file is empty", source=self.path)
        return self.root

    def _fail(self, what: str, event: Any, *, remedy: str = "") -> None:
        raise ConfigError(what, source=self.path, line=event.start_mark.line + 1, remedy=remedy)

    def _take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._add(self._scalar(event), event, event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            name = event.anchor or ""
            if name not in self.anchors:
                self._fail(f"the alias *{name} has no anchor before it", event)
            self._add(self.anchors[name], event, None)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._begin(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._end(event)

    def _begin(self, event: Any) -> None:
        if len(self.open) >= DEEPEST:
            self._fail(f"more than {DEEPEST} levels of nesting", event)
        value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        node = Node(value, self._where(event), self._own_tag(event))
        self.open.append(_Open(node, event.anchor))

    def _end(self, event: Any) -> None:
        closed = self.open.pop()
        for source in closed.merged:
            self.merged += len(source.value)
            if self.merged > MOST_NODES:
                self._fail_too_much(event)
            for key, value in source.value.items():
                if key not in closed.node.value:
                    closed.node.value[key] = value
                    closed.node.size += value.size
        self._add(closed.node, event, closed.anchor)

    def _fail_too_much(self, event: Any) -> None:
        self._fail(f"this file has more than {MOST_NODES:,} values, aliases followed", event,
                   remedy="use fewer or smaller aliases, or several files")  # fmt: skip

    def _add(self, node: Node, event: Any, anchor: str | None) -> None:
        if anchor:
            self.anchors[anchor] = node
        if node.size > MOST_NODES or (self.open and self.open[-1].node.size > MOST_NODES):
            self._fail_too_much(event)
        if not self.open:
            self.root = node
            return
        parent = self.open[-1]
        if isinstance(parent.node.value, list):
            parent.node.value.append(node)
            parent.node.size += node.size
        elif parent.key is None:
            self._take_key(parent, node, event)
        else:
            self._take_value(parent, node, event)

    def _take_key(self, parent: _Open, node: Node, event: Any) -> None:
        if not isinstance(node.value, str):
            self._fail("a key must be a text", event, remedy="write it in quotes")
        parent.key = node

    def _take_value(self, parent: _Open, node: Node, event: Any) -> None:
        key_node = parent.key
        parent.key = None
        if key_node is None:
            return
        key = key_node.text
        if key == "<<":
            parent.merged += self._merge_sources(node, event)
            return
        if key in parent.lines:
            self._fail(
                f"the key {key!r} stands here twice, first in line {parent.lines[key]}",
                event,
                remedy="remove one of them",
            )
        parent.lines[key] = key_node.where.line
        if not isinstance(node.value, list | dict) or not node.size > 1:
            node = Node(node.value, key_node.where, node.tag, node.size, node.text)
        parent.node.value[key] = node
        parent.node.size += node.size

    def _merge_sources(self, node: Node, event: Any) -> list[Node]:
        sources = node.value if isinstance(node.value, list) else [node]
        if not all(isinstance(one.value, dict) for one in sources):
            self._fail("<< takes a mapping, or a list of mappings", event)
        return list(sources)

    def _where(self, event: Any) -> Location:
        return Location(self.path, event.start_mark.line + 1)

    def _own_tag(self, event: Any) -> str:
        tag = event.tag or ""
        if tag.startswith("!") and tag not in _OWN_TAGS and tag != "!":
            self._fail(f"the tag {tag} is not known", event, remedy="remove it")
        return tag if tag in _OWN_TAGS else ""

    def _scalar(self, event: Any) -> Node:
        tag = self._own_tag(event)
        if unusable := unusable_letter(event.value):
            self._fail(f"this text has {unusable}", event, remedy="remove it")
        plain = event.implicit[0] or tag == "!reset"  # what !override tags is a text
        is_text = event.tag == _STRING_TAG or not plain or event.style in {"'", '"', "|", ">"}
        value = event.value if is_text else plain_value(event.value)
        return Node(value, self._where(event), tag, 1, event.value)


def walk(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Every node below one, with its dotted path; the node itself first."""
    yield path, node
    if isinstance(node.value, dict):
        for key, child in node.value.items():
            yield from walk(child, f"{path}.{key}" if path else key)
    elif isinstance(node.value, list):
        for index, child in enumerate(node.value):
            yield from walk(child, f"{path}[{index}]")
