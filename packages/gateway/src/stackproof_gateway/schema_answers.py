"""A small value that is valid for a JSON schema, and useful; always the same one.

Each array has items, each plain text is named after its property and differs from the others, and
a property for an id gets one that the prompt holds.

Source: JSON Schema 2020-12; the keywords that providers accept for structured output.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from stackproof_gateway.known_ids import KnownIds, label_of
from stackproof_gateway.plain_values import count_of, fitting_id, kind_of, number_of, text_of

DEEPEST = 30
"""Levels below which nothing is made any more."""

DEEP = 6
"""Levels below which the smallest choice is taken, so that a recursive schema comes to an end."""

MOST_NODES = 5_000
MOST_ITEMS = 100


def value_for(schema: Any, *, items: int = 1, ids: KnownIds | None = None) -> Any:
    """A valid value.

    Args:
        schema: The schema; anything that is none is valid for null.
        items: How many items an array gets, where its schema allows it.
        ids: Ids for properties such as `id` and `task_id`.
    """
    return _Maker(schema, items, ids or KnownIds(())).value(schema, 0)


class _Maker:
    """Makes one value; counts what it makes, so that no schema takes for ever."""

    def __init__(self, root: Any, items: int, ids: KnownIds) -> None:
        self._root, self._items, self._ids = root, items, ids
        self._left = MOST_NODES
        self._named: Counter[str] = Counter()
        self._reused: Counter[str] = Counter()

    def value(self, schema: Any, depth: int, name: str = "", nth: int = 0) -> Any:
        """A value.

        Args:
            schema: Its schema.
            depth: How deep it stands.
            name: The property that it belongs to.
            nth: Which one it is of items that must differ.
        """
        self._left -= 1
        if not isinstance(schema, dict) or depth > DEEPEST or self._left < 0:
            return None
        known = [] if "$ref" in schema else _known_values(schema)
        if known:
            return known[nth % len(known)]
        simpler = self._simpler(schema, depth)
        if simpler is not schema:
            return self.value(simpler, depth + 1, name, nth)
        known_id = self._known_id(schema, name)
        if known_id is not None:
            return known_id
        return self._of_type(schema, depth, name, nth)

    def _simpler(self, schema: dict[str, Any], depth: int) -> Any:
        """What a reference, an `allOf` or a choice stands for; else the schema itself."""
        if "$ref" in schema:
            return self._resolve(str(schema["$ref"]))
        if isinstance(schema.get("allOf"), list) and schema["allOf"]:
            return self._merged(schema)
        for several in ("anyOf", "oneOf"):
            if isinstance(schema.get(several), list) and schema[several]:
                return self._chosen(schema[several], depth)
        return schema

    def _of_type(self, schema: dict[str, Any], depth: int, name: str, nth: int) -> Any:
        examples = schema.get("examples")
        if isinstance(examples, list) and examples:
            return examples[nth % len(examples)]
        kind = kind_of(schema)
        if kind == "object":
            return self._object(schema, depth, nth)
        if kind == "array":
            return self._array(schema, depth, name)
        if kind == "string":
            self._named[name] += 1
            return text_of(schema, name, self._named[name])
        if kind in {"integer", "number"}:
            return number_of(schema, nth, whole=kind == "integer")
        return nth % 2 == 1 if kind == "boolean" else None

    def _object(self, schema: dict[str, Any], depth: int, nth: int) -> dict[str, Any]:
        properties = schema.get("properties")
        if not isinstance(properties, dict):
            properties = {}
        required = schema.get("required")
        if not isinstance(required, list):
            required = [] if depth > DEEP else list(properties)
        return {str(name): self.value(properties.get(name), depth + 1, name, nth)
                for name in map(_name, required)}  # fmt: skip

    def _array(self, schema: dict[str, Any], depth: int, name: str) -> list[Any]:
        first, rest = schema.get("prefixItems"), schema.get("items")
        kinds = list(first)[:MOST_ITEMS] if isinstance(first, list) else []
        least = count_of(schema.get("minItems"), MOST_ITEMS)
        most = count_of(schema["maxItems"], MOST_ITEMS) if "maxItems" in schema else MOST_ITEMS
        if rest is False:
            most = min(most, len(kinds))
        wide = depth <= DEEP and self._left > MOST_NODES // 2
        count = min(max(least, len(kinds), self._items if wide else 0), most)
        kinds += [rest or {"type": "string"}] * (count - len(kinds))
        unique = schema.get("uniqueItems") is True
        made: list[Any] = []
        for nth, kind in enumerate(kinds[:count]):
            value = self.value(kind, depth + 1, name, nth if unique else 0)
            if unique and value in made and len(made) >= least:
                break
            made.append(value)
        return made

    def _known_id(self, schema: dict[str, Any], name: str) -> str | int | None:
        """The next id of the prompt that fits a property; None if none does."""
        label = label_of(name)
        if label is None or kind_of(schema) not in {"string", "integer"}:
            return None
        for group in self._ids.groups(label):
            fitting = [value for text in group if (value := fitting_id(schema, text)) is not None]
            if fitting:
                self._reused[label] += 1
                return fitting[(self._reused[label] - 1) % len(fitting)]
        return None

    def _chosen(self, choices: list[Any], depth: int) -> Any:
        """The first choice; deep inside one that has nothing below it, if there is one."""
        if depth > DEEP:
            flat = [
                choice
                for choice in choices
                if isinstance(choice, dict)
                and "$ref" not in choice
                and kind_of(choice) not in {"object", "array"}
            ]
            return (flat or choices)[0]
        return choices[0]

    def _merged(self, schema: dict[str, Any]) -> dict[str, Any]:
        """All parts of an `allOf`, and what stands beside it, as one schema."""
        whole: dict[str, Any] = {}
        parts = [{key: value for key, value in schema.items() if key != "allOf"}, *schema["allOf"]]
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
    values = schema.get("enum")
    return values if isinstance(values, list) else []


def _name(value: Any) -> str:
    return value if isinstance(value, str) else str(value)
