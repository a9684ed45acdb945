"""`${…}` in values: every form that Compose has.

Source: the Compose Specification, "Interpolation".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping

from stackproof.errors import ConfigError
from stackproof.redaction import MASK
from stackproof.stack_file.scalars import LONGEST_SHOWN
from stackproof.stack_file.yaml_nodes import Node

DEEPEST = 20
"""Levels of `${A:-${B:-…}}`."""

MOST_TEXT = 32 * 1024 * 1024
"""Letters that all variables of a stack may put in: a short `${…}` can have a long value."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PASSWORD = re.compile(r"(?<=:)[^\s@:/]{1,200}(?=@)")
"""The password of a URL, which no error shows."""

_OPERATORS = (":-", ":?", ":+", "-", "?", "+")


class Interpolation:
    """Looks variables up, and remembers each that was looked up.

    Args:
        environment: The variables.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.seen: MutableMapping[str, str | None] = {}
        self.put_in = [0]

    def beside(self, environment: Mapping[str, str]) -> Interpolation:
        """The same with other variables; what is put in counts together."""
        other = Interpolation(environment)
        other.put_in = self.put_in
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

    def __init__(self, source: Interpolation, text: str, node: Node, key: str) -> None:
        self.source = source
        self.text = text
        self.node = node
        self.key = key
        self.at = 0

    def whole(self) -> str:
        return self._until_end(closing=False, depth=0)

    def _until_end(self, *, closing: bool, depth: int) -> str:
        """Read up to the end, or up to the brace that closes an operand."""
        if depth > DEEPEST:
            raise self._wrong("it is nested too deeply")
        parts: list[str] = []
        while self.at < len(self.text):
            letter = self.text[self.at]
            if letter == "}" and closing:
                return "".join(parts)
            if letter == "$":
                parts.append(self._variable(depth))
            else:
                parts.append(letter)
                self.at += 1
        if closing:
            raise self._wrong("a brace is not closed")
        return "".join(parts)

    def _variable(self, depth: int) -> str:
        following = self.text[self.at + 1 : self.at + 2]
        if following == "$":
            self.at += 2
            return "$"
        if following == "{":
            self.at += 2
            return self._braced(depth)
        match = _NAME.match(self.text, self.at + 1)
        if match is None:  # such a $ stands for itself
            self.at += 1
            return "$"
        self.at = match.end()
        return self._counted(self.source.look_up(match[0]) or "")

    def _braced(self, depth: int) -> str:
        match = _NAME.match(self.text, self.at)
        if match is None:
            raise self._wrong("${ is not followed by a name")
        self.at = match.end()
        name = match[0]
        operator = next((one for one in _OPERATORS if self.text.startswith(one, self.at)), "")
        self.at += len(operator)
        if not operator and self.text[self.at : self.at + 1] != "}":
            raise self._wrong(f"after ${{{name} comes neither }} nor one of {' '.join(_OPERATORS)}")
        operand = self._until_end(closing=True, depth=depth + 1) if operator else ""
        self.at += 1
        return self._counted(self._choose(name, operator, operand))

    def _counted(self, value: str) -> str:
        self.source.put_in[0] += len(value)
        if self.source.put_in[0] > MOST_TEXT:
            raise self._wrong("the variables put in are too long all together")
        return value

    def _choose(self, name: str, operator: str, operand: str) -> str:
        value = self.source.look_up(name)
        is_there = bool(value) if operator.startswith(":") else value is not None
        kind = operator[-1:]
        if kind == "+":
            return operand if is_there else ""
        if kind == "?" and not is_there:
            raise ConfigError(
                f"the variable {name} is required: {operand or 'it is not set'}",
                source=self.node.where.source,
                line=self.node.where.line,
                key=self.key,
                remedy=f"set {name} in .env.integration or under `variables` of the stack config",
            )
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
