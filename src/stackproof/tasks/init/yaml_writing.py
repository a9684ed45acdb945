"""Writes plain values as YAML that people like to read: blocks outside, short lists inside."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

WIDTH = 90
"""Columns of a line; a mapping that is longer becomes a block."""

_PLAIN = re.compile(r"(?:\.{1,2}/)*-{0,2}[A-Za-z_][\w./@-]*(?: [\w./@-]+)*", re.ASCII)
_LINES = re.compile(r"(?:[A-Za-z][ -~]*\n){2,}")
"""Texts that are shown line by line."""

_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", ".", "..", ".inf"})


def as_yaml(value: Mapping[str, Any], indent: int = 0) -> str:
    """A mapping as lines of YAML.

    Args:
        value: The mapping; empty mappings and lists in it are written as such.
        indent: Columns before each line.
    """
    return "".join(f"{' ' * indent}{line}\n" for line in _lines(value))


def _lines(value: Mapping[Any, Any]) -> Iterator[str]:
    for key, below in value.items():
        if isinstance(below, str) and _LINES.fullmatch(below):
            yield f"{_scalar(key)}: |"
            yield from (f"  {line}" for line in below.splitlines())
            continue
        line = f"{_scalar(key)}: {_flow(below)}"
        is_deep = isinstance(below, Mapping) and any(
            isinstance(one, Mapping) or (isinstance(one, str) and _LINES.fullmatch(one))
            for one in below.values()
        )
        if isinstance(below, Mapping) and below and (is_deep or len(line) > WIDTH):
            yield f"{_scalar(key)}:"
            yield from (f"  {inner}" for inner in _lines(below))
        else:
            yield line


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(k)}: {_flow(one)}" for k, one in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        is_plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
        return value if is_plain else f'"{"".join(map(_letter, value))}"'
    return json.dumps(value)


def _letter(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    return letter if letter.isprintable() else f"\\U{ord(letter):08x}"
