"""What the provider asks of a schema with `strict: true`.

Source: OpenAI API guide "Structured outputs", "Supported schemas": the root is an object, every
object has `additionalProperties: false`, every property is required, nesting has a bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stackproof.gateway.errors import ProviderError

DEEPEST = 50


def check_schema(schema: dict[str, Any], param: str, what: str) -> None:
    """Refuse a schema that is not strict.

    Args:
        schema: The schema.
        param: Where it stands in the request.
        what: Whose schema it is, for the error text.

    Raises:
        ProviderError: With what is wrong, and where.
    """
    if schema.get("type") != "object":
        raise _refusal(param, what, (), "schema must have type 'object'.")
    waiting: list[tuple[tuple[str, ...], Any]] = [((), schema)]
    while waiting:
        path, one = waiting.pop()
        if len(path) > DEEPEST:
            raise _refusal(param, what, path[:3], "the schema is nested too deeply.")
        if isinstance(one, dict):
            _check_object(one, param, what, path)
            waiting.extend(_below(one, path))


def _check_object(schema: dict[str, Any], param: str, what: str, path: tuple[str, ...]) -> None:
    if schema.get("type") != "object" and "properties" not in schema:
        return
    if schema.get("additionalProperties") is not False:
        raise _refusal(param, what, path, "'additionalProperties' is required to be supplied and "
                       "to be false.")  # fmt: skip
    properties = schema.get("properties")
    required = schema.get("required")
    names = set(properties) if isinstance(properties, dict) else set()
    listed = (
        {one for one in required if isinstance(one, str)} if isinstance(required, list) else set()
    )
    left = sorted(names - listed)
    if left:
        raise _refusal(
            param,
            what,
            path,
            "'required' is required to be supplied and to be an array including every key in "
            f"properties. Missing '{left[0]}'.",
        )


def _below(schema: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for group in ("properties", "$defs", "definitions"):
        found = schema.get(group)
        if isinstance(found, dict):
            yield from (((*path, group, str(name)), one) for name, one in found.items())
    if isinstance(schema.get("anyOf"), list):
        yield from (((*path, "anyOf", str(at)), one) for at, one in enumerate(schema["anyOf"]))
    yield (*path, "items"), schema.get("items")


def _refusal(param: str, what: str, path: tuple[str, ...], problem: str) -> ProviderError:
    where = ", ".join(f"'{one}'" for one in path)
    message = f"Invalid schema for {what}: In context=({where}), {problem}"
    return ProviderError(400, message, param=param, code="invalid_json_schema")
