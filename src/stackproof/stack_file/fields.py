"""Reading a node as a type, with an error that names file, line, key and what was found."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NoReturn, TypeVar

from stackproof.errors import ConfigError
from stackproof.stack_file.scalars import (
    LONGEST_SHOWN,
    parse_duration,
    parse_size,
    whole_number,
)
from stackproof.stack_file.words import split_words
from stackproof.stack_file.yaml_nodes import Node
from stackproof.stack_file.yaml_scalars import float_text

T = TypeVar("T")

_GO_DURATION = re.compile(r"0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))+")
_EXAMPLES = {
    "a text": "it in quotes",
    "a number": "it like 0.5",
    "true or false": "true or false",
    "a list": "a list, one item a line, each after a dash",
    "a mapping": "key: value, one a line",
    "nothing": "something after it, or leave it out",
}
_TRUE, _FALSE = {"true", "y", "yes", "on"}, {"false", "n", "no", "off"}


@dataclass(frozen=True)
class Field:
    """A node with its dotted key.

    Attributes:
        node: The node.
        key: Where it stands, such as `services.api.ports[0]`.
    """

    node: Node
    key: str

    @property
    def value(self) -> Any:
        """The raw value."""
        return self.node.value

    def fail(self, what: str, *, remedy: str = "") -> NoReturn:
        """Raise the error that belongs to this place."""
        where = self.node.where
        raise ConfigError(what, source=where.source, line=where.line, key=self.key, remedy=remedy)

    def wrong_type(self, kinds: Sequence[str]) -> NoReturn:
        """Raise the error of a value that is of none of these kinds."""
        self._wrong_type(" or ".join(kinds), _EXAMPLES[kinds[0]])

    def _wrong_type(self, wanted: str, example: str) -> NoReturn:
        self.fail(f"this must be {wanted}, not {_kind(self.value)}", remedy=f"write {example}")

    def child(self, name: str) -> Field:
        """The field of a key of this mapping."""
        return Field(self.value[name], f"{self.key}.{name}" if self.key else name)

    def mapping(self) -> dict[str, Field]:
        """The fields of a mapping, by key; an empty value is an empty mapping."""
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            self.wrong_type(["a mapping"])
        return {name: self.child(name) for name in self.value}

    def sequence(self) -> list[Field]:
        """The fields of a list; an empty value is an empty list."""
        if self.value is None:
            return []
        if not isinstance(self.value, list):
            self.wrong_type(["a list"])
        return [Field(one, f"{self.key}[{at}]") for at, one in enumerate(self.value)]

    def text(self) -> str:
        """A text; a number stands for its digits, true and false for their names."""
        if not isinstance(self.value, str | int | float):
            self.wrong_type(["a text"])
        return scalar_text(self.node)

    def integer(self) -> int:
        """A whole number, also as a text of digits."""
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            return self.value
        if isinstance(self.value, str):
            written = self.value.strip()
            found = whole_number(written.removeprefix("-"))
            if found is not None:
                return -found if written.startswith("-") else found
        return self._wrong_type("a whole number", "digits")

    def number(self) -> float:
        """A number, also as a text."""
        if isinstance(self.value, bool) or not isinstance(self.value, str | int | float):
            self.wrong_type(["a number"])
        try:
            found = float(self.value)
        except ValueError:
            self.wrong_type(["a number"])
        if not 0 <= found < float("inf"):
            self._wrong_type("a number from 0 up", "it like 0.5")
        return found

    def boolean(self) -> bool:
        """True or false, also as a text."""
        if isinstance(self.value, bool):
            return self.value
        if isinstance(self.value, str) and self.value.lower() in _TRUE | _FALSE:
            return self.value.lower() in _TRUE
        return self.wrong_type(["true or false"])

    def duration(self) -> float:
        """Seconds; each number needs its unit, as in Go's `time.ParseDuration`."""
        if isinstance(self.value, str) and not _GO_DURATION.fullmatch(self.value):
            self.fail(f"{self.value!r} is not a duration", remedy="write it like 500ms, 10s, 1m30s")
        return self._parsed(parse_duration)

    def size(self) -> int:
        """Bytes."""
        return self._parsed(parse_size)

    def _parsed(self, parse: Callable[[Any], T]) -> T:
        if isinstance(self.value, bool) or not isinstance(self.value, str | int | float):
            self._wrong_type("a duration or a size", "it like 10s or 512m")
        try:
            return parse(self.value)
        except ConfigError as error:
            self.fail(error.what, remedy=error.remedy)

    def words(self) -> tuple[str, ...]:
        """A command: a list of words, or a text that is split as a shell would, without a shell."""
        if isinstance(self.value, list):
            return tuple(one.text() for one in self.sequence())
        try:
            return split_words(self.text())
        except ValueError as error:
            self.fail(f"this command can't be split into words: {error}", remedy="close the quote")

    def texts(self) -> tuple[str, ...]:
        """A list of texts, or a single one."""
        if isinstance(self.value, list):
            return tuple(one.text() for one in self.sequence())
        return (self.text(),)

    def pairs(self) -> Iterator[tuple[str, Field | str | None]]:
        """Entries of a mapping, or of a list of `KEY=value`; None for a key without a value."""
        if not isinstance(self.value, list):
            for name, field in self.mapping().items():
                yield name, None if field.value is None else field
            return
        for one in self.sequence():
            name, equals, value = one.text().partition("=")
            yield name, value if equals else None

    def plain(self) -> Any:
        """The value as plain Python values."""
        if isinstance(self.value, dict):
            return {name: one.plain() for name, one in self.mapping().items()}
        if isinstance(self.value, list):
            return [one.plain() for one in self.sequence()]
        return self.value

    def choose(self, readers: Mapping[str, Any], known_elsewhere: Mapping[str, str]) -> None:
        """Refuse keys that nothing reads.

        Args:
            readers: Keys that are read.
            known_elsewhere: Keys of Compose that stackproof does not support, with what to do.
        """
        for name, field in self.mapping().items():
            if name in readers or name.startswith("x-"):
                continue
            if name in known_elsewhere:
                field.fail(
                    f"stackproof does not support {name!r}",
                    remedy=known_elsewhere[name] or "remove it; `docker compose` alone supports it",
                )
            near = get_close_matches(name, readers, n=1)
            meant = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(readers)}"
            field.fail(f"the key {name!r} is not known", remedy=meant)


def scalar_text(node: Node) -> str:
    """A scalar as Compose prints it where a text is wanted."""
    value = node.value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return float_text(value)
    return str(value)


def _kind(value: object) -> str:
    kinds = {dict: "a mapping", list: "a list", str: "a text", bool: "true or false",
             int: "a number", float: "a number", type(None): "nothing"}  # fmt: skip
    shown = f" ({value!r})" if isinstance(value, str | int | float) else ""
    return kinds[type(value)] + (shown if len(shown) < LONGEST_SHOWN else "")
