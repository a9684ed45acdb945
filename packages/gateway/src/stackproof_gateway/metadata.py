"""The metadata that clients hang on what they store: checked, and searched for.

Source: OpenAI API reference, "metadata" of each object that has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackproof_gateway.errors import ProviderError, bad_type
from stackproof_gateway.requests import check_length

MOST_PAIRS = 16
LONGEST_KEY, LONGEST_VALUE = 64, 512


def read_metadata(body: dict[str, Any]) -> dict[str, str]:
    """The metadata of a request; none if there is none.

    Raises:
        ProviderError: If the provider refuses it.
    """
    given = body.get("metadata")
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise bad_type("metadata", "an object", given)
    if len(given) > MOST_PAIRS:
        raise ProviderError(
            400,
            f"Invalid 'metadata': too many properties. Expected an object with at most "
            f"{MOST_PAIRS} properties, but got an object with {len(given)} properties instead.",
            param="metadata",
            code="object_above_max_properties",
        )
    for key, value in given.items():
        param = f"metadata.{key[:LONGEST_KEY]}"
        if not isinstance(value, str):
            raise bad_type(param, "a string", value)
        check_length(key, "metadata", LONGEST_KEY)
        check_length(value, param, LONGEST_VALUE)
    return given


def wanted_metadata(query: Mapping[str, str]) -> dict[str, str]:
    """What a list is filtered by: `metadata[key]=value` of its query."""
    return {
        name.removeprefix("metadata[")[:-1]: value
        for name, value in query.items()
        if name.startswith("metadata[") and name.endswith("]")
    }
