"""Texts and numbers that fit their JSON schema."""

from __future__ import annotations

import math
import operator
import re
from typing import Any

from stackproof_gateway.known_ids import UUID, label_of
from stackproof_gateway.pattern_text import text_for

LONGEST_TEXT = 2_000
LONGEST_NUMBER = 15
"""Digits of an id that is a number; more are no exact number for many clients."""

LARGEST_BOUND = 1e300
"""What is larger bounds nothing; a schema can name numbers that no float can hold."""

_FORMATS = {
    "date-time": "2025-06-15T15:06:40Z", "date": "2025-06-15", "time": "15:06:40Z",
    "duration": "P1D", "email": "user@example.com", "hostname": "example.com",
    "ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "uri": "https://example.com/",
}  # fmt: skip

_BOUNDS = {"minimum": operator.ge, "exclusiveMinimum": operator.gt,
           "maximum": operator.le, "exclusiveMaximum": operator.lt}  # fmt: skip


def kind_of(schema: dict[str, Any]) -> Any:
    """The type of a value; of several the first that is not null."""
    default = "object" if "properties" in schema else "array" if "items" in schema else None
    kind = schema.get("type", default)
    if not isinstance(kind, list):
        return kind if isinstance(kind, str) else None
    named = [name for name in kind if isinstance(name, str)]
    return next((name for name in named if name != "null"), "null")


def count_of(value: Any, most: int) -> int:
    """A count that a schema names, up to a bound; 0 if it names none."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return min(value, most) if whole and value > 0 else 0


def fitting_id(schema: dict[str, Any], text: str) -> str | int | None:
    """An id as its schema wants it; None if it does not fit."""
    if kind_of(schema) == "string":
        return text if _fits_text(schema, text) else None
    if not text.isdecimal() or not text.isascii() or len(text) > LONGEST_NUMBER:
        return None
    number, step = int(text), _finite(schema, "multipleOf")
    bounds = ((compare, _finite(schema, name)) for name, compare in _BOUNDS.items())
    inside = all(bound is None or compare(number, bound) for compare, bound in bounds)
    return number if inside and not (step and number % step) else None


def _fits_text(schema: dict[str, Any], text: str) -> bool:
    form, pattern = schema.get("format"), schema.get("pattern")
    if isinstance(form, str) and not (form == "uuid" and UUID.fullmatch(text)):
        return False
    if isinstance(pattern, str):
        try:
            if not re.search(pattern, text):
                return False
        except (re.error, OverflowError, RecursionError, ValueError):
            return False
    return count_of(schema.get("minLength"), LONGEST_TEXT) <= len(text) <= _most(schema)


def _most(schema: dict[str, Any]) -> int:
    most = schema.get("maxLength")
    return max(most, 0) if isinstance(most, int) and not isinstance(most, bool) else LONGEST_TEXT


def text_of(schema: dict[str, Any], name: str, number: int) -> str:
    """A text for a property.

    Args:
        schema: Its schema.
        name: Name of the property; empty if it belongs to none.
        number: Which text of that name it is, from 1.
    """
    pattern, form = schema.get("pattern"), schema.get("format")
    if isinstance(pattern, str):
        found = text_for(pattern)
        if found is not None:
            return found
    uuid = f"00000000-0000-4000-8000-{number - 1:012d}"
    if form == "uuid" or (label_of(name) == "uuid" and _fits_text(schema, uuid)):
        return uuid
    if isinstance(form, str) and form in _FORMATS:
        return _FORMATS[form]
    return _named_text(schema, name[:LONGEST_TEXT] or "text", number)


def _named_text(schema: dict[str, Any], word: str, number: int) -> str:
    """A word and a number, so long as it must be, so short as it may be."""
    end = "" if number == 1 else f" {number}"
    most = _most(schema)
    length = max(count_of(schema.get("minLength"), LONGEST_TEXT), len(word) + len(end))
    length = max(min(length, most) - len(end), 0)
    times = length // (len(word) + 1) + 1
    text = (" ".join([word] * times))[:length] + end
    return text[len(text) - most :] if len(text) > most else text


def _finite(schema: dict[str, Any], name: str) -> float | None:
    value = schema.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < LARGEST_BOUND else None


def number_of(schema: dict[str, Any], nth: int, *, whole: bool) -> float:
    """A number.

    Args:
        schema: Its schema.
        nth: Which one it is of numbers that must differ.
        whole: Whether it must be a whole number.
    """
    step = _finite(schema, "multipleOf") or (1 if whole else None)
    lowest, above = _finite(schema, "minimum"), _finite(schema, "exclusiveMinimum")
    highest, below = _finite(schema, "maximum"), _finite(schema, "exclusiveMaximum")
    if above is not None and (lowest is None or above >= lowest):
        lowest = above + (step or _gap(above, below if below is not None else highest))
    if below is not None and (highest is None or below <= highest):
        highest = below - (step or _gap(below, lowest))
    value = 0 if lowest is None or lowest <= 0 else lowest
    if highest is not None and value > highest:
        value = highest
    if step is not None and math.isfinite(value / step):
        value = math.ceil(value / step) * step
        if highest is not None and value > highest:
            value -= step
    further = value + nth * (step or 1)
    value = value if highest is not None and further > highest else further
    return int(value) if whole else value


def _gap(bound: float, other: float | None) -> float:
    """How far to stay away from a bound that is excluded."""
    return 1 if other is None else abs(other - bound) / 2 or 1
