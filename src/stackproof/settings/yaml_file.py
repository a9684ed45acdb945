"""Reads a YAML mapping together with the line that each key was written on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from stackproof.errors import ConfigError


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
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        reader = _Reader(shown)
        value = {} if node is None else reader.value(node, ())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("the file can't be read", source=shown, observed=str(error)) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ConfigError(
            "this is not YAML",
            source=shown,
            line=mark.line + 1 if mark else None,
            observed=getattr(error, "problem", None) or str(error),
        ) from error
    except RecursionError as error:
        raise ConfigError("an anchor holds itself", source=shown) from error
    if not isinstance(value, dict):
        raise ConfigError(
            "a stack config is a mapping", source=shown, line=1, remedy="write `key: value` lines"
        )
    return value, reader.lines


class _Reader:
    """Turns YAML nodes into plain values and remembers lines."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.lines: dict[tuple[str, ...], int] = {}
        self.flattened: set[int] = set()
        self.constructor = yaml.constructor.SafeConstructor()

    def value(self, node: yaml.Node, path: tuple[str, ...]) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
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
                line=node.start_mark.line + 1,
                key=".".join(path),
                remedy="put it in quotes if it is meant as text",
            ) from error

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
