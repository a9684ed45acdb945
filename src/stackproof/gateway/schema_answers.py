"""A small value that is valid for a JSON schema, always the same one.

Source: JSON Schema 2020-12; the keywords that providers accept for structured output.
"""

from __future__ import annotations

import math
from typing import Any

from stackproof.gateway.pattern_text import text_for

DEEPEST = 30
"""Levels below which nothing is made any more."""

DEEP = 6
"""Levels below which the smallest choice is taken, so that a recursive schema comes to an end."""

MOST_NODES = 5_000
MOST_ITEMS = 100
LONGEST_TEXT = 2_000

_FORMATS = {
    "date-time": "2025-06-15T15:06:40Z", "date": "2025-06-15", "time": "15:06:40Z",
    "duration": "P1D", "email": "user@example.com", "hostname": "example.com",
    "ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}  # fmt: skip


def value_for(schema: Any) -> Any:
    """A valid value.

    Args:
        schema: The schema; anything that is none is valid for null.
    """
    return _Maker(schema).value(schema, 0)


class _Maker:
    """Makes one value; counts what it makes, so that no schema takes for ever."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._left = MOST_NODES

    def value(self, schema: Any, depth: int) -> Any:
        self._left -= 1
        if not isinstance(schema, dict) or depth > DEEPEST or self._left < 0:
            return None
        if "$ref" in schema:
            return self.value(self._resolve(str(schema["$ref"])), depth + 1)
        known = _known_values(schema)
        if known:
            return known[0]
        if isinstance(schema.get("allOf"), list) and schema["allOf"]:
            return self.value(self._merged(schema), depth + 1)
        for several in ("anyOf", "oneOf"):
            if isinstance(schema.get(several), list) and schema[several]:
                return self.value(self._chosen(schema[several], depth), depth + 1)
        return self._of_type(schema, depth)

    def _of_type(self, schema: dict[str, Any], depth: int) -> Any:
        kind = _kind(schema)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, depth)
        if kind == "string":
            return _string(schema)
        if kind in {"integer", "number"}:
            return _number(schema, whole=kind == "integer")
        return False if kind == "boolean" else None

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties")
        if not isinstance(properties, dict):
            properties = {}
        required = schema.get("required")
        if not isinstance(required, list):
            required = [] if depth > DEEP else list(properties)
        return {str(one): self.value(properties.get(one), depth + 1)
                for one in map(_name, required)}  # fmt: skip

    def _array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        first = schema.get("prefixItems")
        kinds = list(first) if isinstance(first, list) else []
        count = max(_count(schema.get("minItems"), MOST_ITEMS), len(kinds[:MOST_ITEMS]))
        kinds += [schema.get("items")] * (count - len(kinds))
        return [self.value(one, depth + 1) for one in kinds[:count]]

    def _chosen(self, choices: list[Any], depth: int) -> Any:
        """The first choice; deep inside one that has nothing below it, if there is one."""
        if depth > DEEP:
            flat = [one for one in choices if isinstance(one, dict) and "$ref" not in one
                    and _kind(one) not in {"object", "array"}]  # fmt: skip
            return (flat or choices)[0]
        return choices[0]

    def _merged(self, schema: dict[str, Any]) -> dict[str, Any]:
        """All parts of an `allOf`, and what stands beside it, as one schema."""
        whole: dict[str, Any] = {}
        parts = [{key: one for key, one in schema.items() if key != "allOf"}, *schema["allOf"]]
        for part in parts[:MOST_ITEMS]:
            known = part
            if isinstance(part, dict) and "$ref" in part:
                known = self._resolve(str(part["$ref"]))
            for key, value in known.items() if isinstance(known, dict) else ():
                before = whole.get(key)
                if isinstance(before, dict) and isinstance(value, dict):
                    whole[key] = {**before, **value}
                elif isinstance(before, list) and isinstance(value, list) and key == "required":
                    whole[key] = [*before, *value]
                else:
                    whole[key] = value
        return whole

    def _resolve(self, reference: str) -> Any:
        found = self._root
        for part in reference.removeprefix("#").strip("/").split("/"):
            if part:
                name = part.replace("~1", "/").replace("~0", "~")
                found = found.get(name) if isinstance(found, dict) else None
        return found


def _known_values(schema: dict[str, Any]) -> list[Any]:
    """Values that the schema itself names."""
    if "const" in schema:
        return [schema["const"]]
    lists = (schema.get("enum"), schema.get("examples"))
    return next((one for one in lists if isinstance(one, list) and one), [])


def _kind(schema: dict[str, Any]) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else None)
    if not isinstance(kind, list):
        return kind if isinstance(kind, str) else None
    named = [one for one in kind if isinstance(one, str)]
    return next((one for one in named if one != "null"), "null")


def _name(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _count(value: Any, most: int) -> int:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return min(value, most) if whole and value > 0 else 0


def _string(schema: dict[str, Any]) -> str:
    pattern, form = schema.get("pattern"), schema.get("format")
    if isinstance(pattern, str):
        found = text_for(pattern)
        if found is not None:
            return found
    if isinstance(form, str) and form in _FORMATS:
        return _FORMATS[form]
    most = schema.get("maxLength")
    longest = most if isinstance(most, int) and not isinstance(most, bool) else LONGEST_TEXT
    return ("x" * max(_count(schema.get("minLength"), LONGEST_TEXT), 1))[: max(longest, 0)]


def _number(schema: dict[str, Any], *, whole: bool) -> float:
    def bound(name: str) -> float | None:
        value = schema.get(name)
        fine = isinstance(value, int | float) and not isinstance(value, bool)
        return value if fine and math.isfinite(value) else None  # type: ignore[arg-type]  # checked above

    step = bound("multipleOf") or (1 if whole else None)
    lowest, above = bound("minimum"), bound("exclusiveMinimum")
    highest, below = bound("maximum"), bound("exclusiveMaximum")
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
    return int(value) if whole else value


def _gap(bound: float, other: float | None) -> float:
    """How far to stay away from a bound that is excluded."""
    return 1 if other is None else abs(other - bound) / 2 or 1
