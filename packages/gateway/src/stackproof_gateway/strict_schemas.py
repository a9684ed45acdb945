"""What the provider asks of a schema: with `strict: true`, and of arrays in any function.

Source: OpenAI API guide "Structured outputs", "Supported schemas": the root is an object, every
object has `additionalProperties: false`, every property is required, nesting has a bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stackproof_gateway.errors import ProviderError

DEEPEST = 50
REFUSED = ("oneOf", "allOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas")
"""Keywords that a strict schema can't have."""
_SAYS_A_TYPE = ("type", "anyOf", "$ref", "enum", "const")


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
    for path, value in _parts(schema, param, what):
        _check_keywords(value, param, what, path)
        _check_items(value, param, what, path)
        _check_object(value, param, what, path)


def check_arrays(schema: dict[str, Any], param: str, what: str) -> None:
    """Refuse an array that does not say what it holds; functions without `strict` need that too.

    Raises:
        ProviderError: With where it is.
    """
    for path, value in _parts(schema, param, what):
        _check_items(value, param, what, path)


def _parts(
    schema: dict[str, Any], param: str, what: str
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """A schema and all below it, each with where it stands."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), schema)]
    while waiting:
        path, value = waiting.pop()
        if len(path) > DEEPEST:
            raise _refusal(param, what, path[:3], "the schema is nested too deeply.")
        if isinstance(value, dict):
            yield path, value
            waiting.extend(_below(value, path))


def _check_keywords(schema: dict[str, Any], param: str, what: str, path: tuple[str, ...]) -> None:
    for keyword in REFUSED:
        if keyword in schema:
            raise _refusal(param, what, path, f"'{keyword}' is not permitted.")
    if not any(keyword in schema for keyword in _SAYS_A_TYPE):
        raise _refusal(param, what, path, "schema must have a 'type' key.")


def _check_items(schema: dict[str, Any], param: str, what: str, path: tuple[str, ...]) -> None:
    if schema.get("type") == "array" and "items" not in schema:
        raise _refusal(param, what, path, "array schema missing items.")


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
        {name for name in required if isinstance(name, str)}
        if isinstance(required, list)
        else set()
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
            yield from (((*path, group, str(name)), below) for name, below in found.items())
    if isinstance(schema.get("anyOf"), list):
        yield from (((*path, "anyOf", str(at)), below) for at, below in enumerate(schema["anyOf"]))
    yield (*path, "items"), schema.get("items")


def _refusal(param: str, what: str, path: tuple[str, ...], problem: str) -> ProviderError:
    where = ", ".join(f"'{part}'" for part in path)
    message = f"Invalid schema for {what}: In context=({where}), {problem}"
    of_function = what.startswith("function ")
    code = "invalid_function_parameters" if of_function else "invalid_json_schema"
    return ProviderError(400, message, param=param, code=code)
