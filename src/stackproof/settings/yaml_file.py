"""Reads a YAML mapping together with the line that each key was written on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from stackproof.errors import ConfigError
from stackproof.stack_file.regular_files import read_text_file
from stackproof.stack_file.scalars import unusable_letter
from stackproof.stack_file.yaml_nodes import DEEPEST, MOST_NODES
from stackproof.stack_file.yaml_scalars import LONGEST_NUMBER

_NUMBERS = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}


def read_yaml(path: Path, shown: str) -> tuple[dict[str, Any], Mapping[tuple[str, ...], int]]:
    """Read a file that holds one YAML mapping.

    Args:
        path: The file.
        shown: What the file is called in errors.

    Returns:
        The mapping, and the line (counted from 1) of each key path in it.

    Raises:
        ConfigError: If the file can't be read, is no YAML, repeats a key, or holds no mapping.
    """
    try:
        node = yaml.compose(read_text_file(path), Loader=_BoundedLoader)
        reader = _Reader(shown)
        value = {} if node is None else reader.value(node, ())
    except OSError as error:
        raise ConfigError(
            "the file can't be read", source=shown, observed=error.strerror or str(error)
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ConfigError(
            "this is not YAML",
            source=shown,
            line=mark.line + 1 if mark else None,
            observed=getattr(error, "problem", None) or str(error),
        ) from error
    if not isinstance(value, dict):
        raise ConfigError(
            "a stack config is a mapping", source=shown, line=1, remedy="write `key: value` lines"
        )
    return value, reader.lines


class _BoundedLoader(yaml.SafeLoader):
    """Refuses deep nesting before it is followed."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        if self.depth > DEEPEST:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call] # PyYAML has no types
            raise yaml.composer.ComposerError(
                problem=f"more than {DEEPEST} levels of nesting", problem_mark=mark
            )
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Reader:
    """Turns YAML nodes into plain values and remembers lines."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.lines: dict[tuple[str, ...], int] = {}
        self.flattened: set[int] = set()
        self.values = 0
        self.constructor = yaml.constructor.SafeConstructor()

    def value(self, node: yaml.Node, path: tuple[str, ...]) -> Any:
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        self._refuse_too_much(node, path, line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, str(i))) for i, item in enumerate(node.value)]
        try:
            return self.constructor.construct_object(node)
        except ValueError as error:  # such as the date 2026-99-99
            raise ConfigError(
                f"not a valid value: {error}",
                source=self.shown,
                line=line,
                key=".".join(path),
                remedy="put it in quotes if it is meant as text",
            ) from error

    def _refuse_too_much(self, node: yaml.Node, path: tuple[str, ...], line: int) -> None:
        self.values += 1
        if self.values > MOST_NODES or len(path) > DEEPEST:
            raise ConfigError(
                f"this file has more than {MOST_NODES:,} values or {DEEPEST} levels",
                source=self.shown,
                line=line,
                observed="aliases are followed, and an anchor may hold itself",
                remedy="use fewer or smaller aliases",
            )
        self._refuse_unusable(node, path)
        if node.tag in _NUMBERS and len(node.value) > LONGEST_NUMBER:
            raise ConfigError(
                "this number is too long",
                source=self.shown,
                line=line,
                key=".".join(path),
                observed=f"it has {len(node.value)} characters",
                remedy="put it in quotes if it is meant as text",
            )

    def _refuse_unusable(self, node: yaml.Node, path: tuple[str, ...]) -> None:
        if isinstance(node.value, str) and (unusable := unusable_letter(node.value)):
            raise ConfigError(
                f"this text has {unusable}",
                source=self.shown,
                line=node.start_mark.line + 1,
                key=".".join(path),
                remedy="remove it",
            )

    def _mapping(self, node: yaml.MappingNode, path: tuple[str, ...]) -> dict[str, Any]:
        if id(node) not in self.flattened:  # an anchor's mapping is met once for each alias
            self._refuse_repeated_keys(node, path)
            self.constructor.flatten_mapping(node)
            self.flattened.add(id(node))
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigError("a key must be text", source=self.shown, line=line)
            self._refuse_unusable(key_node, path)
            inner = (*path, str(key_node.value))
            self.lines[inner] = line
            found[inner[-1]] = self.value(value_node, inner)
        return found

    def _refuse_repeated_keys(self, node: yaml.MappingNode, path: tuple[str, ...]) -> None:
        first: dict[str, int] = {}
        for key_node, _ in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in first:
                raise ConfigError(
                    "this key is written twice",
                    source=self.shown,
                    line=line,
                    key=".".join((*path, key)),
                    observed=f"first in line {first[key]}",
                    remedy="remove one of them",
                )
            first[key] = line
