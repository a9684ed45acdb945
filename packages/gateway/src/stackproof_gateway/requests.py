"""Checks that all dialects share, as strict as the provider where it refuses.

Unknown extra fields are accepted, as clients send them, and told apart by `unknown_fields`.
Source: OpenAI API reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stackproof_gateway.encoding import from_bytes
from stackproof_gateway.errors import ProviderError, bad_type, bad_value, missing

LARGEST_COUNT = 10**9
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
MOST_STOPS = 4
MOST_DIGITS = 9

Kind = tuple[type | tuple[type, ...], str]
"""The type of a field, and how the provider names it."""

BOOLEAN: Kind = bool, "a boolean"
INTEGER: Kind = int, "an integer"
OBJECT: Kind = dict, "an object"
OBJECTS: Kind = list, "an array of objects"
STRING: Kind = str, "a string"
STRING_OR_OBJECT: Kind = (str, dict), "a string or an object"
STRING_OR_STRINGS: Kind = (str, list), "a string or an array of strings"

Shapes = Mapping[str, Kind]
"""Kinds of fields by name."""


def shapes(kinds: Mapping[Kind, str]) -> Shapes:
    """The kinds of fields.

    Args:
        kinds: Names of fields by their kind, with spaces between them.
    """
    return {name: kind for kind, names in kinds.items() for name in names.split()}


def parse_body(data: bytes) -> dict[str, Any]:
    """A request body as an object.

    Raises:
        ProviderError: If it is none.
    """
    try:
        value = from_bytes(data)
    except (ValueError, RecursionError):
        raise ProviderError(400, "We could not parse the JSON body of your request.") from None
    if not isinstance(value, dict):
        raise ProviderError(400, "The JSON body of your request is not an object.")
    return value


def model_of(body: dict[str, Any]) -> str:
    """The model that is asked for; empty where a stored prompt brings its own.

    Raises:
        ProviderError: If there is none.
    """
    model = body.get("model")
    if model is None and isinstance(body.get("prompt"), dict):
        return ""
    if model is None or model == "":
        raise ProviderError(400, "you must provide a model parameter", param="model")
    if not isinstance(model, str):
        raise bad_type("model", "a string", model)
    return model


def required_list(body: dict[str, Any], name: str) -> list[Any]:
    """A list that must be there and not be empty.

    Raises:
        ProviderError: If it is not.
    """
    value = body.get(name)
    if value is None:
        raise missing(name)
    if not isinstance(value, list):
        raise bad_type(name, "an array of objects", value)
    if not value:
        raise ProviderError(400, f"Invalid '{name}': empty array. Expected an array with minimum "
                            "length 1, but got an empty array instead.", param=name,
                            code="empty_array")  # fmt: skip
    return value


def check_number(body: dict[str, Any], name: str, lowest: float, highest: float) -> None:
    """Refuse a number that is out of range, or none.

    Raises:
        ProviderError: If it is.
    """
    value = body.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise bad_type(name, "a decimal", value)
    _check_range(name, value, lowest, highest, "decimal")


def check_sampling(body: dict[str, Any]) -> None:
    """Refuse a `temperature` or `top_p` that is out of range.

    Raises:
        ProviderError: If one is.
    """
    check_number(body, "temperature", 0.0, 2.0)
    check_number(body, "top_p", 0.0, 1.0)


def check_choice(value: Any, param: str, known: Sequence[str]) -> None:
    """Refuse a word that is none of those that the provider knows.

    Raises:
        ProviderError: If it is none of them.
    """
    if not isinstance(value, str) or value not in known:
        raise bad_value(param, f"Invalid value: {str(value)[:40]!r}. Supported values are: "
                        f"{', '.join(known)}.")  # fmt: skip


def check_name(name: str, param: str) -> None:
    """Refuse a name of a function that is none.

    Raises:
        ProviderError: If it is none.
    """
    if not NAME.fullmatch(name):
        raise bad_value(param, f"Invalid '{param}': string does not match pattern. Expected a "
                        "string that matches the pattern '^[a-zA-Z0-9_-]+$'.")  # fmt: skip


def check_count(
    body: dict[str, Any], name: str, highest: int = LARGEST_COUNT, *, lowest: int = 1
) -> int | None:
    """A whole number, or None where there is none.

    Raises:
        ProviderError: If it is out of range, or no whole number.
    """
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad_type(name, "an integer", value)
    _check_range(name, value, lowest, highest, "integer")
    return value


def _check_range(name: str, value: float, lowest: float, highest: float, kind: str) -> None:
    """Refuse a number that is out of range, with the code that says on which side."""
    if lowest <= value <= highest:
        return
    below = value < lowest
    side, sign, limit = (
        ("below minimum", ">=", lowest) if below else ("above maximum", "<=", highest)
    )
    raise ProviderError(
        400,
        f"Invalid '{name}': {kind} {side} value. Expected a value {sign} "
        f"{limit if kind == 'integer' else f'{limit:g}'}, but got {str(value)[:40]} instead.",
        param=name,
        code=f"{kind}_{'below_min' if below else 'above_max'}_value",
    )


def check_shapes(body: dict[str, Any], shapes: Shapes) -> None:
    """Refuse fields of another type than the provider takes.

    Raises:
        ProviderError: If there is one.
    """
    for name, value in body.items():
        if value is None or name not in shapes:
            continue
        kinds, wanted = shapes[name]
        if not isinstance(value, kinds) or (value.__class__ is bool and kinds is not bool):
            raise bad_type(name, wanted, value)


def check_length(text: str, param: str, most: int) -> None:
    """Refuse a text that is too long.

    Raises:
        ProviderError: If it is.
    """
    if len(text) > most:
        raise ProviderError(400, f"Invalid '{param}': string too long. Expected a string with "
                            f"maximum length {most}, but got a string with length {len(text)} "
                            "instead.", param=param, code="string_above_max_length")  # fmt: skip


def check_size(values: Sequence[Any], param: str, most: int) -> None:
    """Refuse a list that is too long.

    Raises:
        ProviderError: If it is.
    """
    if len(values) > most:
        raise ProviderError(400, f"Invalid '{param}': array too long. Expected an array with "
                            f"maximum length {most}, but got an array with length {len(values)} "
                            "instead.", param=param, code="array_above_max_length")  # fmt: skip


def whole_number(text: str) -> int | None:
    """The number of a query or form; None if it is no whole number, or has over nine digits."""
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else None


def stop_words(body: dict[str, Any], name: str = "stop") -> tuple[str, ...]:
    """Words that end an answer.

    Raises:
        ProviderError: If there are too many, or some are no strings.
    """
    stop = body.get(name)
    if stop is None:
        return ()
    words = [stop] if isinstance(stop, str) else stop or []
    check_size(words, name, MOST_STOPS)
    for number, word in enumerate(words):
        if not isinstance(word, str):
            raise bad_type(f"{name}[{number}]", "a string", word)
    return tuple(words)


def unknown_fields(body: Iterable[str], *known: frozenset[str]) -> list[str]:
    """Fields of a request that the provider's reference does not have."""
    return sorted(set(body).difference(*known))
