"""What of a request is billed otherwise than by the length of its text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

NOT_TEXT = (
    "container_upload", "document", "file", "image", "image_url", "input_file", "input_image",
    "item_reference",
)  # fmt: skip
"""Types of content parts whose tokens are not told by their bytes."""

ELSEWHERE = ("conversation", "file_id", "file_url", "previous_response_id")
"""Fields that name content which is not in the request."""

ORDINARY_TIERS = (None, "auto", "default", "flex", "standard_only")
"""Values of `service_tier` that cost no more than what the price table says."""


def is_more_than_text(body: Mapping[str, Any]) -> bool:
    """Whether a request holds or names images, files, or what was said before."""
    if isinstance(body.get("prompt"), dict):
        return True  # a prompt that is kept by the provider
    return any(
        part.get("type") in NOT_TEXT or any(part.get(name) for name in ELSEWHERE)
        for part in _objects(body)
    )


def other_price(body: Mapping[str, Any]) -> str:
    """What a request asks for that is billed by another price than that of text; else empty."""
    tier, modalities = body.get("service_tier"), body.get("modalities")
    if tier not in ORDINARY_TIERS:
        return f"the service tier {tier!r}"
    if body.get("web_search_options") is not None:
        return "web search"
    speaks = isinstance(modalities, list) and "audio" in modalities
    if speaks or body.get("audio") or any(_is_heard(part) for part in _objects(body)):
        return "audio"
    return ""


def _is_heard(part: Mapping[str, Any]) -> bool:
    return part.get("type") == "input_audio"


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """All objects in a value, itself included."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
