"""The smallest value that is valid for a JSON schema, always the same one.

Source: JSON Schema 2020-12; the keywords that providers accept for structured output.
"""

from __future__ import annotations

from typing import Any

DEEPEST = 30


def value_for(schema: Any, *, root: Any = None, depth: int = 0) -> Any:
    """A valid value.

    Args:
        schema: The schema; anything that is none is valid for null.
        root: Where `$ref` points into; None for the schema itself.
        depth: Levels above.
    """
    root = schema if root is None else root
    if not isinstance(schema, dict) or depth > DEEPEST:
        return None
    if "$ref" in schema:
        return value_for(_resolve(root, str(schema["$ref"])), root=root, depth=depth + 1)
    if "const" in schema:
        return schema["const"]
    for known in ("enum", "examples"):
        if isinstance(schema.get(known), list) and schema[known]:
            return schema[known][0]
    for several in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(several), list) and schema[several]:
            return value_for(schema[several][0], root=root, depth=depth + 1)
    return _of_type(schema, root, depth)


def _of_type(schema: dict[str, Any], root: Any, depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else None)
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    if kind == "object":
        return _object(schema, root, depth)
    if kind == "array":
        count = _count(schema.get("minItems"))
        return [value_for(schema.get("items"), root=root, depth=depth + 1)] * count
    if kind == "string":
        return "x" * max(_count(schema.get("minLength")), 1)
    if kind in {"integer", "number"}:
        return _number(schema, whole=kind == "integer")
    return False if kind == "boolean" else None


def _object(schema: dict[str, Any], root: Any, depth: int) -> dict[str, Any]:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return {}
    required = schema.get("required")
    names = required if isinstance(required, list) else list(properties)
    return {
        str(name): value_for(properties.get(name), root=root, depth=depth + 1) for name in names
    }


def _count(value: Any) -> int:
    return min(value, 100) if isinstance(value, int) and value > 0 else 0


def _number(schema: dict[str, Any], *, whole: bool) -> float:
    lowest = schema.get("minimum")
    if isinstance(lowest, int | float):
        return int(lowest) if whole else lowest
    above = schema.get("exclusiveMinimum")
    if isinstance(above, int | float) and not isinstance(above, bool):
        return int(above) + 1
    highest = schema.get("maximum")
    if isinstance(highest, int | float) and highest < 0:
        return int(highest) if whole else highest
    return 0


def _resolve(root: Any, reference: str) -> Any:
    found = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        if part:
            found = found.get(part) if isinstance(found, dict) else None
    return found
