"""The format of env files: `KEY=value`, comments, quotes, `export`.

Source: the Compose Specification, "Env_file format", and compose-go, `dotenv/parser.go`: values in
single quotes are literal, others are interpolated; a # after a blank begins a comment outside
quotes; what is looked up comes from the environment first, then from earlier lines.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from stackproof.errors import ConfigError
from stackproof.stack_file.interpolation import Interpolation
from stackproof.stack_file.model import Location
from stackproof.stack_file.yaml_nodes import Node

_LINE = re.compile(
    r"(?:export\s++)?(?P<name>[\w.\[\]-]++)\s*+(?:(?P<equals>[=:])\s*+(?P<value>.*))?"
)
_QUOTED = {
    quote: re.compile(rf"(?:[^{quote}\\]|\\.)*+", re.DOTALL) for quote in ("'", '"')
}  # up to the quote that ends it
_AFTER_QUOTE = re.compile(r"\s*+(?:#.*)?", re.DOTALL)
_COMMENT = re.compile(r"(?<!\s)\s++#.*$")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
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
    known = ChainMap(dict(earlier), dict(variables.environment), found)
    numbered = enumerate(lines, 1)
    for number, line in numbered:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            raise ConfigError(  # the line is not shown: it may be of a key in several lines
                "this is not KEY=value",
                source=path,
                line=number,
                remedy="write KEY=value; quote a value of several lines",
            )
        if match["equals"] is None:
            passed = earlier.get(match["name"]) or variables.look_up(match["name"])
            if passed is not None:
                found[match["name"]] = passed
            continue
        value, quote = match["value"] or "", ""
        if value[:1] in _QUOTED:
            quote = value[0]
            value = _quoted(value[1:], quote, numbered, Location(path, number))
        node = Node(value, Location(path, number))
        inner = variables.beside(known)
        value = _value(value, quote, node, match["name"], inner)
        variables.seen.update(
            {key: inner.seen[key] for key in inner.seen if key not in found and key not in earlier}
        )
        found[match["name"]] = value
    return found


def _quoted(rest: str, quote: str, lines: Iterator[tuple[int, str]], where: Location) -> str:
    """What stands between the quotes; it may go on over several lines."""
    parts: list[str] = []
    while True:
        match = _QUOTED[quote].match(rest)
        end = match.end() if match else 0
        parts.append(rest[:end])
        if rest[end : end + 1] == quote and _AFTER_QUOTE.fullmatch(rest, end + 1):
            return "".join(parts)
        following = next(lines, None)
        if rest[end : end + 1] == quote or following is None:
            raise ConfigError("a quote is not closed, or text follows it", source=where.source,
                              line=where.line, remedy="end the line with the quote")  # fmt: skip
        rest = rest[end:] + "\n" + following[1].rstrip("\n")  # at most a backslash is left over


def _value(value: str, quote: str, node: Node, name: str, variables: Interpolation) -> str:
    if quote == "'":
        return value.replace("\\'", "'")
    if quote:
        text = _ESCAPE.sub(lambda m: _ESCAPES.get(m[1], m[0]), value)
        return variables.text(text, node, name)
    return variables.text(_COMMENT.sub("", value).strip(), node, name)
