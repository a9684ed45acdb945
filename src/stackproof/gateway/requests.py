"""Checks of request bodies, as strict as the provider where it refuses, tolerant of unknown fields.

Source: OpenAI API reference, "Create chat completion" and "Create embeddings".
"""

from __future__ import annotations

import json
from typing import Any

from stackproof.gateway.errors import ProviderError, bad_type, bad_value

MOST_CHOICES = 128
ROLES = {"system", "developer", "user", "assistant", "tool", "function"}


def parse_body(data: bytes) -> dict[str, Any]:
    """A request body as an object.

    Raises:
        ProviderError: If it is none.
    """
    try:
        value = json.loads(data)
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


def check_chat(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages of a chat request.

    Raises:
        ProviderError: If the request is one that the provider refuses.
    """
    messages = body.get("messages")
    if messages is None:
        raise ProviderError(400, "Missing required parameter: 'messages'.", param="messages",
                            code="missing_required_parameter")  # fmt: skip
    if not isinstance(messages, list):
        raise bad_type("messages", "an array of objects", messages)
    if not messages:
        raise ProviderError(400, "Invalid 'messages': empty array. Expected an array with minimum "
                            "length 1.", param="messages", code="empty_array")  # fmt: skip
    for number, message in enumerate(messages):
        _check_message(message, f"messages[{number}]")
    _check_number(body, "temperature", 0.0, 2.0)
    _check_number(body, "top_p", 0.0, 1.0)
    _check_number(body, "presence_penalty", -2.0, 2.0)
    _check_number(body, "frequency_penalty", -2.0, 2.0)
    for name in ("max_tokens", "max_completion_tokens"):
        _check_count(body, name, 10**9)
    _check_count(body, "n", MOST_CHOICES)
    _check_shapes(body)
    return messages


def _check_message(message: Any, param: str) -> None:
    if not isinstance(message, dict):
        raise bad_type(param, "an object", message)
    role = message.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise bad_value(f"{param}.role", f"Invalid value: {role!r}. Supported values are: "
                        f"{', '.join(sorted(ROLES))}.")  # fmt: skip
    content = message.get("content")
    if content is not None and not isinstance(content, str | list):
        raise bad_type(f"{param}.content", "a string or an array of objects", content)


def _check_number(body: dict[str, Any], name: str, lowest: float, highest: float) -> None:
    value = body.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise bad_type(name, "a decimal", value)
    if not lowest <= value <= highest:
        raise bad_value(name, f"Invalid '{name}': expected a value from {lowest:g} to {highest:g}, "
                        f"but got {value} instead.")  # fmt: skip


def _check_count(body: dict[str, Any], name: str, highest: int) -> None:
    value = body.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad_type(name, "an integer", value)
    if not 1 <= value <= highest:
        raise bad_value(name, f"Invalid '{name}': expected a value from 1 to {highest}.")


def _check_shapes(body: dict[str, Any]) -> None:
    shapes: dict[str, tuple[type | tuple[type, ...], str]] = {
        "stream": (bool, "a boolean"),
        "stream_options": (dict, "an object"),
        "stop": ((str, list), "a string or an array of strings"),
        "tools": (list, "an array of objects"),
        "tool_choice": ((str, dict), "a string or an object"),
        "response_format": (dict, "an object"),
    }
    for name, (kinds, wanted) in shapes.items():
        value = body.get(name)
        if value is not None and not isinstance(value, kinds):
            raise bad_type(name, wanted, value)
    for number, tool in enumerate(body.get("tools") or []):
        if not isinstance(tool, dict) or not isinstance(tool.get("function"), dict | None):
            raise bad_type(f"tools[{number}]", "an object", tool)


def embedding_inputs(body: dict[str, Any]) -> list[str]:
    """The texts of an embeddings request; token numbers stand for themselves.

    Raises:
        ProviderError: If the request is one that the provider refuses.
    """
    given = body.get("input")
    if given is None or given in ("", []):
        raise bad_value("input", "'input' must be a non-empty string or array.")
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list):
        raise bad_type("input", "a string or an array", given)
    if all(_is_token(one) for one in given):
        return [" ".join(map(str, given))]
    texts = []
    for one in given:
        if isinstance(one, str) and one:
            texts.append(one)
        elif isinstance(one, list) and one and all(_is_token(token) for token in one):
            texts.append(" ".join(map(str, one)))
        else:
            raise bad_value("input", "'input' must hold non-empty strings, or arrays of tokens.")
    return texts


def _is_token(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
