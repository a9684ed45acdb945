"""Checks that all dialects share, as strict as the provider where it refuses.

Unknown extra fields are accepted, as clients send them, and told apart by `unknown_fields`.
Source: OpenAI API reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackproof.gateway.encoding import from_bytes
from stackproof.gateway.errors import ProviderError, bad_type, bad_value, missing

LARGEST_COUNT = 10**9
MOST_STOPS = 4

Shapes = Mapping[str, tuple[type | tuple[type, ...], str]]
"""Types of fields, and how the provider names them."""


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
    """The model that is asked for.

    Raises:
        ProviderError: If there is none.
    """
    model = body.get("model")
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
                            "length 1.", param=name, code="empty_array")  # fmt: skip
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
    if not lowest <= value <= highest:
        raise bad_value(name, f"Invalid '{name}': expected a value from {lowest:g} to {highest:g}, "
                        f"but got {str(value)[:40]} instead.")  # fmt: skip


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
    if not lowest <= value <= highest:
        raise bad_value(name, f"Invalid '{name}': expected a value from {lowest} to {highest}.")
    return value


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


def stop_words(body: dict[str, Any], name: str = "stop") -> tuple[str, ...]:
    """Words that end an answer.

    Raises:
        ProviderError: If there are too many, or some are no strings.
    """
    stop = body.get(name)
    words = [stop] if isinstance(stop, str) else stop or []
    if len(words) > MOST_STOPS:
        raise ProviderError(400, f"Invalid '{name}': array too long. Expected an array with "
                            f"maximum length {MOST_STOPS}, but got an array with length "
                            f"{len(words)} instead.", param=name,
                            code="array_above_max_length")  # fmt: skip
    for number, word in enumerate(words):
        if not isinstance(word, str):
            raise bad_type(f"{name}[{number}]", "a string", word)
    return tuple(words)


def unknown_fields(body: dict[str, Any], known: frozenset[str]) -> list[str]:
    """Fields of a request that the provider's reference does not have."""
    return sorted(set(body) - known)
