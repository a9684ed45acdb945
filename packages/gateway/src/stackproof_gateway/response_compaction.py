"""The item that stands for a part of a conversation, or for all that came before it.

Source: OpenAI API reference, "Compact a response" (the least threshold is its own); guide
"Compaction"; the types of its SDK 3.52. What an item stands for is in its encrypted content, which
nobody but the gateway reads: of a whole context its last words, half as many as the threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stackproof_gateway.chat_messages import required_text
from stackproof_gateway.errors import ProviderError, bad_type
from stackproof_gateway.prompt import text_of
from stackproof_gateway.requests import check_choice, check_count
from stackproof_gateway.response_reasoning import unverified
from stackproof_gateway.sealing import opened, sealed

Item = dict[str, Any]

_SEAL, _WHOLE = "compaction", "compaction of a whole context"

LEAST_THRESHOLD = 1000


def compaction_item(items: Sequence[Item], identity: str) -> Item:
    """The item for all but what the user said.

    Args:
        items: The items of a conversation.
        identity: Its id.
    """
    texts = [_text(item) for item in items if item.get("role") != "user"]
    content = sealed("\n".join(filter(None, texts)), _SEAL)
    return {"id": identity, "type": "compaction", "encrypted_content": content}


def check_compaction(item: Item, param: str) -> None:
    """Refuse such an item if it was changed.

    Raises:
        ProviderError: If it was, or has no content.
    """
    content = required_text(item, param, "encrypted_content")
    if opened(content, _SEAL) is None and opened(content, _WHOLE) is None:
        raise unverified(content)


def compacted_text(item: Item) -> str:
    """What such an item stands for."""
    content = item["encrypted_content"]
    return opened(content, _SEAL) or opened(content, _WHOLE) or ""


def read_threshold(body: Item) -> int | None:
    """The tokens above which a request wants its context compacted; None if it does not.

    Raises:
        ProviderError: If the provider refuses it, or the gateway can't honour it.
    """
    given = body.get("context_management")
    if given is None:
        return None
    if not isinstance(given, list):
        raise bad_type("context_management", "an array of objects", given)
    found = [_threshold(entry, f"context_management[{at}]") for at, entry in enumerate(given)]
    return min(found, default=None)


def _threshold(entry: Any, param: str) -> int:
    if not isinstance(entry, dict):
        raise bad_type(param, "an object", entry)
    check_choice(required_text(entry, param, "type"), f"{param}.type", ("compaction",))
    name = f"{param}.compact_threshold"
    threshold = check_count({name: entry.get("compact_threshold")}, name, lowest=LEAST_THRESHOLD)
    if threshold is None:
        raise ProviderError(
            400,
            f"This gateway does not know when the provider compacts by itself. Set '{name}'.",
            param=name,
            code="unsupported_value",
        )
    return threshold


def refused_trigger(items: Sequence[Item]) -> ProviderError | None:
    """Why the gateway does not compact where an item says so; None where none does."""
    for number, item in enumerate(items):
        if item.get("type") == "compaction_trigger":
            message = (
                "This gateway does not act on items of the type 'compaction_trigger'. Use "
                "`context_management` with a `compact_threshold`, or POST /v1/responses/compact."
            )
            return ProviderError(
                400, message, param=f"input[{number}].type", code="unsupported_value"
            )
    return None


def whole_context(items: Sequence[Item], threshold: int) -> str:
    """The encrypted content of an item that stands for all that came before it.

    Args:
        items: What came before it.
        threshold: Tokens above which it is made; it has at most half of them.
    """
    words = " ".join(map(_text, items)).split()
    return sealed(" ".join(words[-(threshold // 2) :]), _WHOLE)


def seen_items(items: list[Item]) -> list[Item]:
    """The items that the model sees: from the last one on that stands for a whole context."""
    starts = [
        at
        for at, item in enumerate(items)
        if item.get("type") == "compaction"
        and opened(str(item.get("encrypted_content")), _WHOLE) is not None
    ]
    return items[starts[-1] :] if starts else items


def _text(item: Item) -> str:
    if item.get("type") == "compaction":
        return compacted_text(item)
    return text_of(item.get("content") or item.get("output")) or item.get("arguments") or ""
