"""Gemini's schemas, a subset of OpenAPI 3.0: what the provider refuses, and the JSON schema of one.

The texts are those that users of the API report. Where several reasons apply the provider lists
them all; here it is the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stackproof_gateway.gemini.contents import broken

_KEPT = ("title", "description", "enum", "format", "pattern", "minimum", "maximum", "minItems",
         "maxItems", "minLength", "maxLength", "minProperties", "maxProperties", "required",
         "default")  # fmt: skip
_FORMATS = {
    "STRING": ("enum", "date-time"),
    "NUMBER": ("float", "double"),
    "INTEGER": ("int32", "int64"),
}


def check_schema(schema: dict[str, Any], place: str) -> None:
    """Refuse a schema that the provider refuses.

    Args:
        schema: The schema, its fields in camelCase.
        place: Where it stands.

    Raises:
        ProviderError: With the provider's text.
    """
    kind = schema.get("type")
    if kind == "OBJECT" and schema.get("properties") == {}:
        raise broken(f"{place}.properties", "should be non-empty for OBJECT type")
    if kind == "ARRAY" and "items" not in schema:
        raise broken(f"{place}.items", "missing field.")
    if kind not in ("STRING", None) and schema.get("enum"):
        raise broken(f"{place}.enum", "only allowed for STRING type")
    form = schema.get("format")
    if form and kind in _FORMATS and form not in _FORMATS[kind]:
        first, second = _FORMATS[kind]
        raise broken(f"{place}.format", f"only '{first}' and '{second}' are supported for {kind} "
                     "type")  # fmt: skip
    for number, name in enumerate(schema.get("required") or ()):
        if name not in schema.get("properties", [name]):
            raise broken(f"{place}.required[{number}]", "property is not defined")
    for inner, below in _below(schema, place):
        check_schema(below, inner)


def _below(schema: dict[str, Any], place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, value in (schema.get("properties") or {}).items():
        yield f"{place}.properties[{name}]", value
    for number, value in enumerate(schema.get("anyOf") or ()):
        yield f"{place}.any_of[{number}]", value
    if "items" in schema:
        yield f"{place}.items", schema["items"]


def json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of one of Gemini's."""
    made = {name: schema[name] for name in _KEPT if name in schema}
    if made.get("format") == "enum":
        del made["format"]
    if "type" in schema:
        kind = schema["type"].lower()
        made["type"] = [kind, "null"] if schema.get("nullable") else kind
    if "example" in schema:
        made["examples"] = [schema["example"]]
    if "items" in schema:
        made["items"] = json_schema(schema["items"])
    if "anyOf" in schema:
        made["anyOf"] = [json_schema(choice) for choice in schema["anyOf"]]
    if "properties" in schema:
        found = schema["properties"]
        order = [name for name in schema.get("propertyOrdering") or () if name in found]
        names = dict.fromkeys([*order, *found])
        made["properties"] = {name: json_schema(found[name]) for name in names}
    return made
