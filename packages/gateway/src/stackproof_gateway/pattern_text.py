"""A short text that a regular expression matches, always the same one."""

from __future__ import annotations

import re
from collections.abc import Callable
from re import _constants, _parser  # type: ignore[attr-defined]  # the only parser there is
from typing import Any

LONGEST = 2000

_CATEGORIES = {
    "CATEGORY_DIGIT": "0", "CATEGORY_NOT_DIGIT": "a", "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_SPACE": "a", "CATEGORY_WORD": "a", "CATEGORY_NOT_WORD": "-",
}  # fmt: skip
_ORDINARY = "a0-_ .,:/@ABCxyz19\n"


def text_for(pattern: str, *, whole: bool = False) -> str | None:
    """A text that matches; None if none was found.

    Args:
        pattern: A regular expression, as JSON Schema has it.
        whole: Whether it must match the whole text.
    """
    try:
        parsed = _parser.parse(pattern)
        text = _sequence(parsed)
        return text if (re.fullmatch if whole else re.search)(pattern, text) else None
    except (re.error, OverflowError, RecursionError, ValueError, _TooLongError):
        return None


class _TooLongError(Exception):
    pass


def _sequence(parsed: Any) -> str:
    text = "".join(_one(str(kind), value) for kind, value in parsed)
    if len(text) > LONGEST:
        raise _TooLongError
    return text


def _one(kind: str, value: Any) -> str:
    if kind in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
        lowest, highest, body = value
        times = int(max(lowest, min(1, highest)))
        if times > LONGEST:
            raise _TooLongError
        return _sequence(body) * times
    if kind in _LETTERS:
        return _LETTERS[kind](value)
    below = {"SUBPATTERN": lambda: value[3], "BRANCH": lambda: value[1][0],
             "ATOMIC_GROUP": lambda: value}  # fmt: skip
    return _sequence(below[kind]()) if kind in below else ""


def _of_set(items: Any) -> str:
    negated = items and items[0][0] is _constants.NEGATE
    if not negated:
        kind, value = items[0]
        return _CATEGORIES[str(value)] if str(kind) == "CATEGORY" else _first(str(kind), value)
    for letter in _ORDINARY:
        if not any(_holds(str(kind), value, letter) for kind, value in items[1:]):
            return letter
    return "~"


def _first(kind: str, value: Any) -> str:
    return chr(value[0] if kind == "RANGE" else value)


def _holds(kind: str, value: Any, letter: str) -> bool:
    if kind == "RANGE":
        return bool(value[0] <= ord(letter) <= value[1])
    if kind == "LITERAL":
        return bool(value == ord(letter))
    tests = {"CATEGORY_DIGIT": letter.isdigit(), "CATEGORY_SPACE": letter.isspace(),
             "CATEGORY_WORD": letter.isalnum() or letter == "_"}  # fmt: skip
    name = str(value)
    positive = tests.get(name.replace("_NOT_", "_"), False)
    return positive is not ("_NOT_" in name)


_LETTERS: dict[str, Callable[[Any], str]] = {
    "LITERAL": chr,
    "NOT_LITERAL": lambda value: "a" if value != ord("a") else "b",
    "ANY": lambda _value: "a",
    "IN": _of_set,
}
