"""Fills `{{ event.count }}` and the like into the values of rules and workflows."""

from __future__ import annotations

import re
from typing import Any

REFERENCE = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")


class UnknownReferenceError(Exception):
    """A template names something that is not there."""


def fill(template: Any, names: dict[str, Any]) -> Any:
    """A value with all references replaced; one that stands alone keeps its type.

    Raises:
        UnknownReferenceError: If a reference leads nowhere.
    """
    if isinstance(template, dict):
        return {key: fill(value, names) for key, value in template.items()}
    if isinstance(template, list):
        return [fill(value, names) for value in template]
    if not isinstance(template, str):
        return template
    if alone := REFERENCE.fullmatch(template.strip()):
        return look_up(alone[1], names)
    return REFERENCE.sub(lambda found: str(look_up(found[1], names)), template)


def look_up(path: str, names: dict[str, Any]) -> Any:
    """What a dotted path leads to."""
    found: Any = names
    for part in path.split("."):
        if not isinstance(found, dict) or part not in found:
            raise UnknownReferenceError(f"{path}: there is no {part}")
        found = found[part]
    return found
