"""A YAML file → nodes that know their line, with the scalar rules of Compose's own reader.

Source: go-yaml v3: yes, no, on and off are texts, keys are texts, `<<` merges mappings.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import yaml

from stackproof.errors import ConfigError
from stackproof.stack_file.reading.nodes import Location, Node, dotted
from stackproof.stack_file.reading.scalars import unusable_letter
from stackproof.stack_file.reading.yaml_scalars import plain_value
from stackproof.stack_file.regular_files import read_text_file

DEEPEST = 60
"""Levels of nesting; real files have about ten."""

MOST_NODES = 100_000
"""Nodes after aliases are followed, so that a small file can't grow without bound."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OWN_TAGS = {"!reset", "!override"}
_STRING_TAG = "tag:yaml.org,2002:str"


@dataclass
class _Open:
    node: Node
    anchor: str | None
    key: Node | None = None
    merged: list[Node] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)


def read_yaml(
    path: Path, *, shown: Path | str | None = None, any_keys: bool = False, remedy: str = ""
) -> Node:
    """The one document of a YAML file.

    Args:
        path: The file.
        shown: What errors and locations call it; None for its path.
        any_keys: Whether a key may be a number, which stands for its text.
        remedy: What to do about a file that can't be read.

    Raises:
        ConfigError: If it can't be read or holds no such document, with the line.
    """
    source = shown or path
    try:
        return _Builder(source, any_keys=any_keys).build(read_text_file(path))
    except OSError as error:
        raise ConfigError(
            f"this file can't be read: {error.strerror}", source=source, remedy=remedy
        ) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        problem = " ".join(filter(None, (error.context, error.problem)))
        raise ConfigError(
            f"this is not YAML: {problem}", source=source, line=line, remedy="check the indentation"
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"this is not YAML: {error}", source=source) from None


class _Builder:
    """Builds nodes from parser events, without recursion."""

    def __init__(self, source: Path | str, *, any_keys: bool) -> None:
        self.source = source
        self.any_keys = any_keys
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
                    self._fail("this file has more than one document", event, remedy="keep one")
            self._take(event)
        if self.root is None:
            raise ConfigError("the file is empty", source=self.source)
        return self.root

    def _fail(self, what: str, event: Any, *, remedy: str = "") -> NoReturn:
        line = event.start_mark.line + 1
        raise ConfigError(what, source=self.source, line=line, key=self._place(), remedy=remedy)

    def _place(self) -> str:
        """The key of the value that is read now."""
        path: list[str | int] = []
        for parent in self.open:
            if isinstance(parent.node.value, list):
                path.append(len(parent.node.value))
            elif parent.key is not None:
                path.append(parent.key.text)
        return dotted(tuple(path))

    def _take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._add(self._scalar(event), event, event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            self._add(self._anchored(event), event, None)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._begin(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._end(event)

    def _anchored(self, event: Any) -> Node:
        name = event.anchor
        if any(parent.anchor == name for parent in self.open):
            self._fail(f"recursive anchor: &{name} holds *{name}", event, remedy="remove the alias")
        if name not in self.anchors:
            self._fail(f"the alias *{name} has no anchor before it", event,
                       remedy=f"write &{name} before the value that is meant")  # fmt: skip
        return self.anchors[name]

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
                if value.tag == "!reset":
                    self._fail(f"versions of Compose differ about !reset of {key!r} below <<",
                               event, remedy="write !reset in the service itself")  # fmt: skip
                own = closed.node.value.get(key)
                if own is None:
                    closed.node.value[key] = value
                    closed.node.size += value.size
                elif own.tag == "!reset":  # it resets what earlier files say, as in Compose
                    closed.node.value[key] = replace(value, tag="!override")
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
        if not isinstance(node.value, str) and (
            not self.any_keys or isinstance(node.value, list | dict)
        ):
            self._fail("a key must be a text", event, remedy="write it in quotes")
        parent.key = node

    def _take_value(self, parent: _Open, node: Node, event: Any) -> None:
        if parent.key is None:
            return
        key, where = parent.key.text, parent.key.where
        if key in parent.lines:
            first = parent.lines[key]
            self._fail(f"the key {key!r} is repeated, first in line {first}", event,
                       remedy="remove one of them")  # fmt: skip
        parent.lines[key] = where.line or 0
        if key == "<<":
            parent.merged += self._merge_sources(node, event)
        else:
            parent.node.value[key] = replace(node, where=where)
            parent.node.size += node.size
        parent.key = None

    def _merge_sources(self, node: Node, event: Any) -> list[Node]:
        sources = node.value if isinstance(node.value, list) else [node]
        if not all(isinstance(source.value, dict) for source in sources):
            self._fail("<< takes a mapping, or a list of mappings", event,
                       remedy="write <<: *name")  # fmt: skip
        return list(sources)

    def _where(self, event: Any) -> Location:
        return Location(self.source, event.start_mark.line + 1)

    def _own_tag(self, event: Any) -> str:
        tag = event.tag or ""
        if tag.startswith("!") and tag not in _OWN_TAGS and tag != "!":
            self._fail(f"unknown tag {tag}", event, remedy="remove it")
        return tag if tag in _OWN_TAGS else ""

    def _scalar(self, event: Any) -> Node:
        tag = self._own_tag(event)
        if unusable := unusable_letter(event.value):
            self._fail(f"this text has {unusable}", event, remedy="remove it")
        plain = event.implicit[0] or tag == "!reset"  # what !override tags is a text
        is_text = event.tag == _STRING_TAG or not plain or event.style in {"'", '"', "|", ">"}
        value = event.value if is_text else plain_value(event.value)
        return Node(value, self._where(event), tag, 1, event.value)
