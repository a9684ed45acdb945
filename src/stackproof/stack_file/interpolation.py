"""`${…}` in values: every form that Compose has.

Source: the Compose Specification, "Interpolation".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping

from stackproof.errors import ConfigError
from stackproof.stack_file.reading.fields import Field
from stackproof.stack_file.reading.nodes import Location, Node
from stackproof.stack_file.reading.scalars import LONGEST_SHOWN
from stackproof_redaction import MASK

DEEPEST = 20
"""Levels of `${A:-${B:-…}}`."""

MOST_TEXT = 32 * 1024 * 1024
"""Letters that all variables of a stack may put in: a short `${…}` can have a long value."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PASSWORD = re.compile(r"(?<=:)[^\s@:/]{1,200}(?=@)")
"""The password of a URL, which no error shows."""

_BRACE = re.compile(r"[{}]")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")


class RequiredVariable(ConfigError):
    """A `${NAME:?message}` whose variable nothing sets.

    Attributes:
        name: Name of the variable.
    """

    name = ""


def required_variable(name: str, why: str, field: Field) -> RequiredVariable:
    """The error for a variable that nothing sets.

    Args:
        name: Its name.
        why: Why it is needed.
        field: Where.
    """
    error = RequiredVariable(
        f"the variable {name} is required: {why}",
        source=field.node.where.source,
        line=field.node.where.line,
        key=field.key,
        remedy=f"set {name} in .env.integration or under `variables` of the stack config",
    )
    error.name = name
    return error


class Interpolation:
    """Looks variables up, and remembers each that was looked up, and which were not set.

    Args:
        environment: The variables.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.seen: MutableMapping[str, str | None] = {}
        self.unset: MutableMapping[str, Location] = {}
        self.put_in = [0]

    def beside(self, environment: Mapping[str, str]) -> Interpolation:
        """The same with other variables; what is put in counts together."""
        other = Interpolation(environment)
        other.put_in = self.put_in
        other.unset = self.unset
        return other

    def text(self, text: str, node: Node, key: str) -> str:
        """A text with its variables put in.

        Args:
            text: The text.
            node: Where it stands, for errors.
            key: Its key, for errors.

        Raises:
            ConfigError: If the form is wrong, or a required variable is not set.
        """
        if "$" not in text:
            return text
        return _Text(self, text, node, key).whole()

    def tree(self, node: Node, key: str = "") -> Node:
        """The same tree with variables put into each of its texts."""
        value = node.value
        if isinstance(value, str):
            value = self.text(value, node, key)
        elif isinstance(value, dict):
            value = {
                name: self.tree(child, f"{key}.{name}" if key else name)
                for name, child in value.items()
            }
        elif isinstance(value, list):
            value = [self.tree(child, f"{key}[{at}]") for at, child in enumerate(value)]
        return Node(value, node.where, node.tag, node.size, node.text)

    def look_up(self, name: str) -> str | None:
        """The value of a variable; None if it is not set."""
        value = self.environment.get(name)
        self.seen[name] = value
        return value


class _Text:
    """One text that is being interpolated."""

    def __init__(
        self, source: Interpolation, text: str, node: Node, key: str, depth: int = 0
    ) -> None:
        self.source = source
        self.depth = depth
        self.text = text
        self.node = node
        self.key = key
        self.at = 0

    def whole(self) -> str:
        if self.depth > DEEPEST:
            raise self._wrong("it is nested too deeply")
        parts: list[str] = []
        while (dollar := self.text.find("$", self.at)) >= 0:
            parts.append(self.text[self.at : dollar])
            self.at = dollar
            parts.append(self._variable())
        return "".join([*parts, self.text[self.at :]])

    def _operand(self) -> str:
        end = self._closing()
        written = self.text[self.at : end]
        self.at = end
        return _Text(self.source, written, self.node, self.key, self.depth + 1).whole()

    def _closing(self) -> int:
        """Where an operand ends: its braces are counted; the last one if they don't match."""
        is_open = 1
        for brace in _BRACE.finditer(self.text, self.at):
            is_open += 1 if brace[0] == "{" else -1
            if not is_open:
                return brace.start()
        last = self.text.rfind("}", self.at)
        if last < 0:
            raise self._wrong("a brace is not closed")
        return last

    def _variable(self) -> str:
        following = self.text[self.at + 1 : self.at + 2]
        if following == "$":
            self.at += 2
            return "$"
        if following == "{":
            self.at += 2
            return self._braced()
        match = _NAME.match(self.text, self.at + 1)
        if match is None:  # such a $ stands for itself
            self.at += 1
            return "$"
        self.at = match.end()
        return self._counted(self._plain(match[0]))

    def _braced(self) -> str:
        match = _NAME.match(self.text, self.at)
        if match is None:
            raise self._wrong("${ is not followed by a name")
        self.at = match.end()
        name = match[0]
        operator = next((sign for sign in _OPERATORS if self.text.startswith(sign, self.at)), "")
        self.at += len(operator)
        if not operator and self.text[self.at : self.at + 1] != "}":
            raise self._wrong(f"after ${{{name} comes neither }} nor one of {' '.join(_OPERATORS)}")
        operand = self._operand() if operator else ""
        self.at += 1
        return self._counted(self._choose(name, operator, operand))

    def _counted(self, value: str) -> str:
        self.source.put_in[0] += len(value)
        if self.source.put_in[0] > MOST_TEXT:
            raise self._wrong("the variables put in are too long all together")
        return value

    def _plain(self, name: str) -> str:
        value = self.source.look_up(name)
        if value is None:
            self.source.unset.setdefault(name, self.node.where)
        return value or ""

    def _choose(self, name: str, operator: str, operand: str) -> str:
        if not operator:
            return self._plain(name)
        value = self.source.look_up(name)
        is_there = bool(value) if operator.startswith(":") else value is not None
        kind = operator[-1:]
        if kind == "+":
            return operand if is_there else ""
        if kind == "?" and not is_there:
            raise required_variable(name, operand or "it is not set", Field(self.node, self.key))
        if kind == "-" and not is_there:
            return operand
        return value or ""

    def _wrong(self, why: str) -> ConfigError:
        return ConfigError(
            f"{_PASSWORD.sub(MASK, self.text)[:LONGEST_SHOWN]!r} can't be interpolated: {why}",
            source=self.node.where.source,
            line=self.node.where.line,
            key=self.key,
            remedy="write ${NAME}, ${NAME:-default}, ${NAME:?message}, or $$ for a dollar sign",
        )
