"""Reading a node as a type, with an error that names file, line, key and what was found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar, overload

from stackproof.errors import ConfigError, Mistakes
from stackproof.stack_file.reading.nodes import Node, dotted
from stackproof.stack_file.reading.scalars import (
    go_duration,
    parse_duration,
    parse_size,
    shown,
    whole_number,
)
from stackproof.stack_file.reading.suggestion import did_you_mean
from stackproof.stack_file.reading.words import split_words
from stackproof.stack_file.reading.yaml_scalars import scalar_text

T = TypeVar("T")
D = TypeVar("D")
S = TypeVar("S", bound=str)

LAST_PORT = 65535
_EXAMPLES = {
    "a text": "it in quotes",
    "a number": "it like 0.5",
    "true or false": "true or false",
    "a list": "a list, one item a line, each after a dash",
    "a mapping": "key: value, one a line",
    "nothing": "something after it, or leave it out",
}
_KINDS = {dict: "a mapping", list: "a list", str: "a text", bool: "true or false",
          int: "a number", float: "a number", type(None): "nothing"}  # fmt: skip
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

    def error(self, what: str, *, remedy: str = "") -> ConfigError:
        """The error that belongs to this place."""
        where = self.node.where
        return ConfigError(what, source=where.source, line=where.line, key=self.key, remedy=remedy)

    def fail(self, what: str, *, remedy: str = "") -> NoReturn:
        """Raise the error that belongs to this place."""
        raise self.error(what, remedy=remedy)

    def wrong_type(self, kinds: Sequence[str], example: str = "") -> NoReturn:
        """Raise the error of a value that is of none of these kinds."""
        wanted, example = " or ".join(kinds), example or _EXAMPLES[kinds[0]]
        value = self.value
        wants_scalar = not wanted.startswith(("a list", "a mapping"))  # a list may hold a secret
        is_shown = wants_scalar and isinstance(value, str | int | float)
        found = f" ({shown(value)})" if is_shown and not isinstance(value, bool) else ""
        self.fail(
            f"this must be {wanted}, not {_KINDS[type(value)]}{found}", remedy=f"write {example}"
        )

    def child(self, name: str) -> Field:
        """The field of a key of this mapping."""
        return Field(self.value[name], dotted((self.key, name)))

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
        return [Field(item, f"{self.key}[{at}]") for at, item in enumerate(self.value)]

    def get(self, name: str) -> Field | None:
        """The field of a key; None where the key is missing or has no value."""
        if self.value is not None and not isinstance(self.value, dict):
            self.wrong_type(["a mapping"])
        found = (self.value or {}).get(name)
        return None if found is None or found.value is None else self.child(name)

    def below(self, name: str) -> Field:
        """The field of a key; one without a value where the key is missing."""
        return self.get(name) or Field(Node(None, self.node.where), dotted((self.key, name)))

    def items(self, name: str) -> list[Field]:
        """The fields of a list under a key; none where the key is missing."""
        return self.below(name).sequence()

    def entries(self) -> list[Field]:
        """The fields of a list, or a single value as its only one."""
        return self.sequence() if isinstance(self.value, list) else [self]

    @overload
    def read(self, name: str, reader: Callable[[Field], T]) -> T | None: ...

    @overload
    def read(self, name: str, reader: Callable[[Field], T], default: D) -> T | D: ...

    def read(self, name: str, reader: Callable[[Field], Any], default: Any = None) -> Any:
        """What a key holds; the default where the key is missing or has no value."""
        found = self.get(name)
        return default if found is None else reader(found)

    def read_all(self, readers: Mapping[str, Callable[[Field], T]]) -> dict[str, T]:
        """What the given keys hold, without those that are missing or have no value."""
        found, mistakes = {}, Mistakes()
        for name, field in self.mapping().items():
            if name in readers and field.value is not None:
                with mistakes.noted():
                    found[name] = readers[name](field)
        mistakes.refuse()
        return found

    def section(
        self, readers: Mapping[str, Callable[[Field], T]], needs: Sequence[str] = ()
    ) -> dict[str, T]:
        """What the keys of a mapping hold that has no other keys.

        Args:
            readers: The keys, and how each is read.
            needs: Keys that must be there.
        """
        found, mistakes = {}, Mistakes()
        with mistakes.noted():
            self.refuse_unknown(readers)
            self.require(needs)
        with mistakes.noted():
            found = self.read_all(readers)
        mistakes.refuse()
        return found

    def require(self, names: Sequence[str]) -> None:
        """Refuse a mapping without one of these keys."""
        for name in names:
            if name not in self.mapping():
                self.fail(f"the key {name!r} is missing", remedy=f"add {name}:")

    def text(self) -> str:
        """A text; a number stands for its digits, true and false for their names."""
        if not isinstance(self.value, str | int | float):
            self.wrong_type(["a text"])
        return scalar_text(self.value)

    def written(self) -> str:
        """A text that was written as one, not a number."""
        if not isinstance(self.value, str):
            self.wrong_type(["a text"])
        return self.value

    def port(self, what: str = "a port") -> int:
        """The number of a port, also as a text."""
        is_number = isinstance(self.value, str | int) and not isinstance(self.value, bool)
        number = whole_number(str(self.value).strip()) if is_number else None
        if number is None or not 0 < number <= LAST_PORT:
            self.fail(f"this must be {what} between 1 and {LAST_PORT}, not {shown(self.value)}")
        return number

    def integer(self) -> int:
        """A whole number, also as a text of digits."""
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            return self.value
        if isinstance(self.value, str):
            written = self.value.strip()
            found = whole_number(written.removeprefix("-"))
            if found is not None:
                return -found if written.startswith("-") else found
        return self.wrong_type(["a whole number"], "digits")

    def number(self) -> float:
        """A number, also as a text."""
        if isinstance(self.value, bool) or not isinstance(self.value, str | int | float):
            self.wrong_type(["a number"])
        try:
            found = float(self.value)
        except ValueError:
            self.wrong_type(["a number"])
        if not 0 <= found < float("inf"):
            self.wrong_type(["a number from 0 up"], "it like 0.5")
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
        return self._parsed(go_duration)

    def seconds(self) -> float:
        """Seconds, as a number or as a duration with units."""
        return self._parsed(parse_duration)

    def size(self) -> int:
        """Bytes."""
        return self._parsed(parse_size)

    def _parsed(self, parse: Callable[[Any], T]) -> T:
        if isinstance(self.value, bool) or not isinstance(self.value, str | int | float):
            self.wrong_type(["a duration or a size"], "it like 10s or 512m")
        try:
            return parse(self.value)
        except ConfigError as error:
            self.fail(error.what, remedy=error.remedy)

    def words(self, split: Callable[[str], Sequence[str]] = split_words) -> tuple[str, ...]:
        """A command: a list of words, or a text that is split as a shell would, without a shell."""
        if isinstance(self.value, list):
            return self.texts()
        try:
            return tuple(split(self.text()))
        except ValueError as error:
            self.fail(
                f"this command can't be split into words: {error}",
                remedy="close the quote, or put it in quotes",
            )

    def texts(self) -> tuple[str, ...]:
        """A list of texts, or a single one."""
        return tuple(item.text() for item in self.entries())

    def names(self) -> tuple[str, ...]:
        """A list of names, also written as one text with commas, as variables have it."""
        if isinstance(self.value, list):
            return self.texts()
        return tuple(part.strip() for part in self.text().split(",") if part.strip())

    def pairs(self) -> Iterator[tuple[str, Field | str | None]]:
        """Entries of a mapping, or of a list of `KEY=value`; None for a key without a value."""
        if not isinstance(self.value, list):
            for name, field in self.mapping().items():
                yield name, None if field.value is None else field
            return
        for item in self.sequence():
            name, equals, value = item.text().partition("=")
            yield name, value if equals else None

    def text_pairs(self) -> dict[str, str]:
        """Texts by key, as a mapping or a list of `KEY=value`; a key without a value has none."""
        return {
            name: value.text() if isinstance(value, Field) else value or ""
            for name, value in self.pairs()
        }

    def plain(self) -> Any:
        """The value as plain Python values."""
        if isinstance(self.value, dict):
            return {name: field.plain() for name, field in self.mapping().items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.sequence()]
        return self.value

    def one_of(self, known: Collection[S]) -> S:
        """One of these texts."""
        text = self.text()
        for name in known:
            if name == text:
                return name
        *others, last = known
        return self.fail(f"this must be {', '.join(others)} or {last}, not {shown(text)}",
                  remedy=did_you_mean(text, known))  # fmt: skip

    def refuse_unknown(self, known: Collection[str], others: Collection[str] = ()) -> None:
        """Refuse keys other than these, extensions and others that are refused elsewhere."""
        mistakes = Mistakes()
        mistakes.found = [
            field.error(f"unknown key {name!r}", remedy=did_you_mean(name, known))
            for name, field in self.mapping().items()
            if not (name in known or name in others or name.startswith("x-"))
        ]
        mistakes.refuse()
