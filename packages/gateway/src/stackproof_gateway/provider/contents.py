"""What of a request is billed otherwise than by the length of its text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_BAR = re.compile(r"_([a-z])")

NOT_TEXT = (
    "container_upload", "document", "file", "image", "image_url", "input_file", "input_image",
    "item_reference",
)  # fmt: skip
"""Types of content parts whose tokens are not told by their bytes."""

ELSEWHERE = ("conversation", "file_id", "file_url", "previous_response_id")
"""Fields that name content which is not in the request."""

DATA = ("inlineData", "inline_data", "fileData", "file_data")
"""Fields of Google's parts that are no text."""

ORDINARY_TIERS = (None, "auto", "default", "flex", "standard", "standard_only")
"""Values of `service_tier` that cost no more than what the price table says."""


def is_more_than_text(body: Mapping[str, Any]) -> bool:
    """Whether a request holds or names images, files, or what was said before."""
    if body.get("cachedContent") or body.get("cached_content"):
        return True
    if isinstance(body.get("prompt"), dict):
        return True  # a prompt that is kept by the provider
    return any(
        part.get("type") in NOT_TEXT or any(part.get(name) for name in (*ELSEWHERE, *DATA))
        for part in _objects(body)
    )


def marks_cache(body: Mapping[str, Any]) -> bool:
    """Whether a request marks what the provider shall write to its prompt cache."""
    return any(part.get("cache_control") for part in _objects(body))


def other_price(body: Mapping[str, Any]) -> str:
    """What a request asks for that is billed by another price than that of text; else empty."""
    tier, modalities = body.get("service_tier", body.get("serviceTier")), body.get("modalities")
    if tier not in ORDINARY_TIERS:
        return f"the service tier {tier!r}"
    if body.get("web_search_options") is not None:
        return "web search"
    config = config_of(body)
    wanted = config.get("responseModalities")
    if config.get("speechConfig") or (isinstance(wanted, list) and set(wanted) - {"TEXT", "text"}):
        return "an answer that is more than text"
    speaks = isinstance(modalities, list) and "audio" in modalities
    if speaks or body.get("audio") or any(_is_heard(part) for part in _objects(body)):
        return "audio"
    return ""


def _is_heard(part: Mapping[str, Any]) -> bool:
    kind = part.get("mimeType", part.get("mime_type"))
    return part.get("type") == "input_audio" or (
        isinstance(kind, str) and kind.startswith(("audio/", "video/"))
    )


def config_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Google's settings of an answer, under their names in camelCase."""
    found = body.get("generationConfig", body.get("generation_config"))
    given = found if isinstance(found, dict) else {}
    return {_BAR.sub(lambda part: part[1].upper(), name): value for name, value in given.items()}


def candidates_of(body: Mapping[str, Any]) -> int:
    """How many answers a request to Google asks for."""
    count = config_of(body).get("candidateCount")
    return count if type(count) is int and count > 0 else 1


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """All objects in a value, itself included."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
