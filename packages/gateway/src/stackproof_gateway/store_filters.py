"""Filters on the attributes of files in a vector store.

Source: OpenAI API reference, "Search vector store", `filters`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from stackproof_gateway.errors import ProviderError, bad_value

DEEPEST = 20

Filter = Callable[[dict[str, Any]], bool]

_ORDER = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


def read_filter(given: Any, depth: int = 0) -> Filter:
    """A filter of attributes.

    Args:
        given: `{type, key, value}` or `{type: and|or, filters}`; None takes everything.
        depth: Levels above.

    Raises:
        ProviderError: If it is not what it should be.
    """
    if given is None:
        return lambda _attributes: True
    if not isinstance(given, dict) or depth > DEEPEST:
        raise _refusal("must be an object")
    kind = given.get("type")
    if kind in ("and", "or"):
        parts = given.get("filters")
        if not isinstance(parts, list):
            raise _refusal("of type 'and' and 'or' need 'filters'")
        filters = [read_filter(part, depth + 1) for part in parts]
        joined: Callable[[list[bool]], bool] = all if kind == "and" else any
        return lambda attributes: joined([fits(attributes) for fits in filters])
    return _comparison(kind, given)


def _comparison(kind: Any, given: dict[str, Any]) -> Filter:
    key, value = given.get("key"), given.get("value")
    if not isinstance(key, str) or "value" not in given:
        raise _refusal("need 'key' and 'value'")
    if kind == "eq":
        return lambda attributes: bool(attributes.get(key) == value)
    if kind == "ne":
        return lambda attributes: bool(attributes.get(key) != value)
    if kind in ("in", "nin"):
        if not isinstance(value, list):
            raise _refusal("of type 'in' and 'nin' need a list as 'value'")
        return lambda attributes: (attributes.get(key) in value) is (kind == "in")
    compare = _ORDER.get(kind) if isinstance(kind, str) else None
    if compare is None or isinstance(value, bool) or not isinstance(value, int | float):
        raise _refusal("need a known 'type', and a number to compare with")

    def ordered(attributes: dict[str, Any]) -> bool:
        found = attributes.get(key)
        return isinstance(found, int | float) and bool(compare(found, value))

    return ordered


def _refusal(problem: str) -> ProviderError:
    return bad_value("filters", f"Invalid 'filters': filters {problem}.")
