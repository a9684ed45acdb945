"""The format of env files: `KEY=value`, comments, quotes, `export`.

Source: the Compose Specification, "Env_file format", and compose-go, `dotenv/parser.go`: values in
single quotes are literal, others are interpolated; a # after a blank begins a comment outside
quotes; what is looked up comes from the environment first, then from earlier lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from stackproof.errors import ConfigError
from stackproof.stack_file.interpolation import Interpolation
from stackproof.stack_file.model import Location
from stackproof.stack_file.yaml_nodes import Node

_LINE = re.compile(r"(?:export\s+)?(?P<name>[\w.\[\]-]+)\s*(?:(?P<equals>[=:])\s*(?P<value>.*))?")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?:#.*)?', re.DOTALL)
_SINGLE = re.compile(r"'((?:[^'\\]|\\.)*)'\s*(?:#.*)?", re.DOTALL)
_COMMENT = re.compile(r"\s+#.*$")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$$"}


def parse_env_text(
    lines: Iterable[str],
    path: Path,
    variables: Interpolation,
    earlier: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """The variables of an env file.

    Args:
        lines: Its lines.
        path: Named in errors.
        variables: What `${…}` is looked up in; earlier lines of the file stand behind it.
        earlier: What earlier files gave; it stands before `variables`.

    Raises:
        ConfigError: At a line that is none of the format.
    """
    found: dict[str, str] = {}
    numbered = enumerate(lines, 1)
    for number, line in numbered:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            raise ConfigError("this is not KEY=value", source=path, line=number,
                              observed=text[:60], remedy="write KEY=value")  # fmt: skip
        if match["equals"] is None:
            passed = earlier.get(match["name"]) or variables.look_up(match["name"])
            if passed is not None:
                found[match["name"]] = passed
            continue
        value = match["value"] or ""
        while _is_open(value):
            following = next(numbered, None)
            if following is None:
                raise ConfigError("a quote is not closed, or text follows it", source=path,
                                  line=number, remedy="end the line with the quote")  # fmt: skip
            value += "\n" + following[1].rstrip("\n")
        node = Node(value, Location(path, number))
        inner = Interpolation({**found, **variables.environment, **earlier})
        value = _value(value, node, match["name"], inner)
        variables.seen.update(
            {key: inner.seen[key] for key in inner.seen if key not in {*found, *earlier}}
        )
        found[match["name"]] = value
    return found


def _is_open(value: str) -> bool:
    if value.startswith('"'):
        return _DOUBLE.fullmatch(value) is None
    return value.startswith("'") and _SINGLE.fullmatch(value) is None


def _value(value: str, node: Node, name: str, variables: Interpolation) -> str:
    single = _SINGLE.fullmatch(value)
    if single is not None:
        return single[1].replace("\\'", "'")
    double = _DOUBLE.fullmatch(value)
    if double is not None:
        text = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), double[1], flags=re.DOTALL)
        return variables.text(text, node, name)
    return variables.text(_COMMENT.sub("", value).strip(), node, name)
