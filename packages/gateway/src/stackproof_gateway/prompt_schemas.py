"""A JSON schema that stands in the text of a prompt, as many frameworks write it there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

MOST_TRIES = 100
"""Braces of a text at which JSON is looked for."""

_DECODER = json.JSONDecoder()


def may_tell_schema(data: bytes) -> bool:
    """Whether a schema may stand in a text of a request; false for most, at the cost of nothing.

    Args:
        data: The request's body: a letter of JSON may be written as an escape there.
    """
    return b"properties" in data or b"items" in data or b"\\u00" in data


def schema_in(texts: Sequence[str]) -> Any:
    """The last schema of the first text that has one; None if none has.

    Args:
        texts: The texts of a prompt.
    """
    for text in texts:
        if '"properties"' in text or '"items"' in text:
            schemas = [schema for value in _objects(text) if (schema := _schema(value)) is not None]
            if schemas:
                return schemas[-1]
    return None


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The outermost JSON objects of a text."""
    at = text.find("{")
    for _ in range(MOST_TRIES):
        if at < 0:
            return
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            yield value
        at = text.find("{", end)


def _schema(value: dict[str, Any]) -> Any:
    """An object if it is a schema, or the schema that it wraps; None if it is neither."""
    for name in ("schema", "json_schema"):
        if isinstance(value.get(name), dict):
            return _schema(value[name])
    properties = value.get("properties")
    if isinstance(properties, dict) and value.get("type", "object") == "object":
        described = [part for part in properties.values() if isinstance(part, dict)]
        return value if properties and len(described) == len(properties) else None
    return value if value.get("type") == "array" and isinstance(value.get("items"), dict) else None
