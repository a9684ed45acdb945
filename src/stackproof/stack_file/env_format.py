"""The format of env files: `KEY=value`, comments, quotes, `export`.

Source: the Compose Specification, "Env_file format", and compose-go, `dotenv/parser.go`: values in
single quotes are literal, others are interpolated; a # after a blank begins a comment outside
quotes; what is looked up comes from the environment first, then from earlier lines.
"""

from __future__ import annotations

import io
import re
from collections import ChainMap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

from stackproof.errors import ConfigError
from stackproof.stack_file.interpolation import Interpolation
from stackproof.stack_file.reading.nodes import Location, Node

_LINE = re.compile(
    r"(?:export\s++)?(?P<name>[\w.\[\]-]++)\s*+(?:(?P<equals>[=:])\s*+(?P<value>.*))?"
)
_QUOTED = {
    quote: re.compile(rf"(?:[^{quote}\\]|\\.)*+", re.DOTALL) for quote in ("'", '"')
}  # up to the quote that ends it
_AFTER_QUOTE = re.compile(r"\s*+(?:#.*)?", re.DOTALL)
_COMMENT = re.compile(r" #.*$")
_ESCAPE = re.compile(r"\\(?:([abfnrtv$\"\\])|0(\d{0,3}))")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_OCTAL = re.compile(r"[0-3][0-7]{2}")


@dataclass(frozen=True)
class Assignment:
    """One entry of an env file.

    Attributes:
        name: The variable.
        value: Its value as written, between its quotes; None for a name alone.
        quote: The quote around it, or empty.
        where: Where it begins.
    """

    name: str
    value: str | None
    quote: str
    where: Location

    def fail(self, what: str, *, remedy: str) -> NoReturn:
        """Raise the error that belongs to this entry."""
        raise ConfigError(what, source=self.where.source, line=self.where.line, remedy=remedy)

    def plain(self) -> str:
        """The value with its escapes read and nothing looked up."""
        return self._unescaped(dollar="$")

    def interpolated(self, variables: Interpolation) -> str:
        """The value with variables put in; single quotes keep them out."""
        text = self._unescaped(dollar="$$")
        return (
            text if self.quote == "'" else variables.text(text, Node(text, self.where), self.name)
        )

    def _unescaped(self, *, dollar: str) -> str:
        value = self.value or ""
        if self.quote == "'":
            return value.replace("\\'", "'")
        if not self.quote:
            return value
        text = _ESCAPE.sub(lambda found: _escaped(found[1], found[2], dollar), value)
        if "\0" in text:
            self.fail("this value has a NUL character", remedy="remove \\0000")
        return text


def _escaped(letter: str | None, digits: str | None, dollar: str) -> str:
    """What an escape in double quotes stands for; Compose drops the 0 of a wrong octal number."""
    if letter is None:
        is_octal = _OCTAL.fullmatch(digits or "")
        return chr(int(digits or "", 8)) if is_octal else f"\\{digits}"
    return dollar if letter == "$" else _ESCAPES.get(letter, letter)


def assignments(text: str, source: Path | str) -> Iterator[Assignment]:
    """The entries of an env file, in order.

    Args:
        text: Its text.
        source: Named in errors.

    Raises:
        ConfigError: At a line that is none of the format.
    """
    lines = enumerate(io.StringIO(text), 1)
    for number, line in lines:
        where, written = Location(source, number), line.lstrip().rstrip("\n")
        if not written or written.startswith("#"):
            continue
        match = _LINE.fullmatch(written)
        if match is None:
            raise ConfigError(  # the line is not shown: it may be of a key in several lines
                "this is not KEY=value",
                source=source,
                line=number,
                remedy="write KEY=value; quote a value of several lines",
            )
        value = match["value"]
        if match["equals"] and value[:1] in _QUOTED:
            quoted = _quoted(value[1:], value[0], lines, where)
            yield Assignment(match["name"], quoted, value[0], where)
        else:
            bare = _COMMENT.sub("", value).strip() if match["equals"] else None
            yield Assignment(match["name"], bare, "", where)


def parse_env_text(
    text: str,
    path: Path,
    variables: Interpolation,
    earlier: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """The variables of an env file.

    Args:
        text: Its text.
        path: Named in errors.
        variables: What `${…}` is looked up in; earlier lines of the file stand behind it.
        earlier: What earlier files gave; it stands before `variables`.

    Raises:
        ConfigError: At a line that is none of the format.
    """
    found: dict[str, str] = {}
    known = ChainMap(dict(earlier), dict(variables.environment), found)
    for entry in assignments(text, path):
        if entry.value is None:
            passed = earlier.get(entry.name) or variables.look_up(entry.name)
            if passed is not None:
                found[entry.name] = passed
            continue
        inner = variables.beside(known)
        value = entry.interpolated(inner)
        variables.seen.update(
            {key: inner.seen[key] for key in inner.seen if key not in found and key not in earlier}
        )
        found[entry.name] = value
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
