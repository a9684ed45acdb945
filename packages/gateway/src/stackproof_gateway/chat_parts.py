"""The content parts of a chat message: their types, and what each must have.

Source: OpenAI API reference, "Create chat completion". The texts about types, about an image that
is no object and about images of others than the user are those that users of the API have reported
(2024 to 2026), as is that `stop: []` is refused only where a message has an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stackproof_gateway.errors import ProviderError, bad_type, bad_value, missing

FIELDS: dict[str, tuple[type, str]] = {
    "text": (str, "a string"),
    "image_url": (dict, "an object"),
    "input_audio": (dict, "an object"),
    "refusal": (str, "a string"),
    "audio": (dict, "an object"),
    "file": (dict, "an object"),
}
"""Types of parts; each has a field of its own name, of this type."""

_LISTED = ", ".join(map(repr, list(FIELDS)[:-1])) + f", and {list(FIELDS)[-1]!r}"


def check_content(message: dict[str, Any], number: int) -> None:
    """Refuse a content that is neither text nor known parts.

    Args:
        message: The message, with a known role.
        number: Its place.

    Raises:
        ProviderError: If the provider refuses it.
    """
    content = message.get("content")
    if isinstance(content, str):
        return
    param = f"messages[{number}].content"
    if not isinstance(content, list):
        raise bad_type(param, "a string or an array of objects", content)
    for at, part in enumerate(content):
        place = f"{param}[{at}]"
        if not isinstance(part, dict):
            raise bad_type(place, "an object", part)
        _check_part(part, place)
        if part["type"] == "image_url" and message["role"] != "user":
            message_text = (
                f"Invalid 'messages[{number}]'. Image URLs are only allowed for messages with role "
                f"'user', but this message with role '{message['role']}' contains an image URL."
            )
            raise bad_value(f"messages[{number}]", message_text)


def _check_part(part: dict[str, Any], place: str) -> None:
    kind = part.get("type")
    if kind is None:
        raise missing(f"{place}.type")
    if not isinstance(kind, str) or kind not in FIELDS:
        raise bad_value(f"{place}.type", f"Invalid value: {str(kind)[:40]!r}. Supported values are:"
                        f" {_LISTED}.")  # fmt: skip
    wanted, told = FIELDS[kind]
    if part.get(kind) is None:
        raise missing(f"{place}.{kind}")
    if not isinstance(part[kind], wanted):
        raise bad_type(f"{place}.{kind}", told, part[kind])
    if kind == "image_url" and not isinstance(part[kind].get("url"), str):
        raise missing(f"{place}.image_url.url")


def check_empty_stop(body: dict[str, Any], messages: Sequence[dict[str, Any]]) -> None:
    """Refuse `stop: []` of a request with images.

    Raises:
        ProviderError: If it is there.
    """
    if body.get("stop") == [] and any(map(_has_image, messages)):
        raise ProviderError(400, "Invalid 'stop': empty array. Expected an array with minimum "
                            "length 1, but got an empty array instead.", param="stop",
                            code="empty_array")  # fmt: skip


def _has_image(message: dict[str, Any]) -> bool:
    content = message.get("content")
    return isinstance(content, list) and any(part["type"] == "image_url" for part in content)
