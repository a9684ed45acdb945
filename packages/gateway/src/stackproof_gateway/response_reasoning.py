"""The reasoning of OpenAI's models: whether a model reasons, its item, and items that come back.

Source: OpenAI guide "Reasoning models" and the types of its SDK 3.52. The texts are those that
users of the API have reported (2025 and 2026). Encrypted content is told where `include` asks for
it, and where nothing is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from stackproof_gateway.errors import ProviderError, bad_type, missing
from stackproof_gateway.model_rules import Rules
from stackproof_gateway.replies import Completion, Thought
from stackproof_gateway.requests import check_choice
from stackproof_gateway.sealing import opened, sealed

Item = dict[str, Any]

SUMMARIES = ("auto", "concise", "detailed")
_SEAL = "reasoning"
_INCLUDED = "reasoning.encrypted_content"
_SHOWN = 4
"""Letters at each end of an encrypted content that an error shows."""


def reasoning_of(effort: str | None, rules: Rules) -> str:
    """Whether a model reasons first: `none`, `told` (if a script says what) or `hidden`.

    Args:
        effort: What the request says.
        rules: The model's rules.
    """
    if rules.efforts == () or effort == "none":
        return "none"
    if effort is not None or (rules.efforts and rules.thinks_unasked):
        return "hidden"
    return "told"


def reasoning_item(completion: Completion, thoughts: Sequence[Thought]) -> Item:
    """The item of what a model has thought; its summary is told if the request asks for one."""
    body = completion.prompt.body
    wanted = body.get("reasoning") or {}
    shown = wanted.get("summary") or wanted.get("generate_summary")
    item: Item = {
        "id": f"rs_{completion.number:08d}",
        "type": "reasoning",
        "summary": [
            {"type": "summary_text", "text": thought.text}
            for thought in thoughts
            if shown and not thought.redacted
        ],
    }
    if _INCLUDED in (body.get("include") or ()) or body.get("store") is False:
        item["encrypted_content"] = sealed("\n".join(one.text for one in thoughts), _SEAL)
    return item


def check_reasoning_item(item: Item, param: str) -> None:
    """Refuse an item without its parts, or whose encrypted content was changed.

    Raises:
        ProviderError: If it is one.
    """
    if item.get("summary") is None:
        raise missing(f"{param}.summary")
    if not isinstance(item["summary"], list):
        raise bad_type(f"{param}.summary", "an array of objects", item["summary"])
    for number, part in enumerate(item["summary"]):
        if not isinstance(part, dict):
            raise bad_type(f"{param}.summary[{number}]", "an object", part)
        check_choice(part.get("type"), f"{param}.summary[{number}].type", ("summary_text",))
    content = item.get("encrypted_content")
    if content is None:
        return
    if not isinstance(content, str):
        raise bad_type(f"{param}.encrypted_content", "a string", content)
    if opened(content, _SEAL) is None:
        raise unverified(content)


def unverified(content: str) -> ProviderError:
    """An encrypted content is none of the provider's, or was changed."""
    return ProviderError(400, f"The encrypted content {content[:_SHOWN]}...{content[-_SHOWN:]} "
                         "could not be verified. Reason: Encrypted content could not be "
                         "decrypted or parsed.", code="invalid_encrypted_content")  # fmt: skip


def check_reasoning_order(
    body: Item, before: Sequence[Item], items: Sequence[Item], kept: Iterable[Iterable[Item]]
) -> None:
    """Refuse reasoning that nobody knows, or that is apart from what the model said after it.

    Args:
        body: The request.
        before: Items of the responses that this one follows.
        items: Items of the request.
        kept: The items of each answer and of each conversation that is kept.

    Raises:
        ProviderError: With the provider's text.
    """
    if not any(isinstance(item.get("id"), str) for item in items):
        return
    rows = [list(row) for row in kept]
    known = {one["id"] for row in rows for one in row}
    reasons = {two["id"]: one["id"] for row in rows for one, two in pairwise(row)
               if one["type"] == "reasoning"}  # fmt: skip
    given = {item.get("id") for item in (*before, *items)}
    for number, item in enumerate(items):
        identity = str(item.get("id"))
        if item.get("type") == "reasoning":
            if identity not in known and item.get("encrypted_content") is None:
                raise _unknown(identity, body)
            if not _is_the_models(items[number + 1 : number + 2]):
                raise _apart(item, "its required following item.")
        elif identity in reasons and reasons[identity] not in given:
            raise _apart(item, f"its required 'reasoning' item: '{reasons[identity]}'.")


def _is_the_models(following: Sequence[Item]) -> bool:
    """Whether the model has made the item that follows; clients may leave out its id."""
    return any(
        item.get("role") == "assistant"
        or ("role" not in item and not str(item.get("type")).endswith("_output"))
        for item in following
    )


def _unknown(identity: str, body: Item) -> ProviderError:
    message = f"Item with id '{identity}' not found."
    if body.get("store") is False:
        message += (
            " Items are not persisted when `store` is set to false. Try again with `store` set to "
            "true, or remove this item from your input."
        )
    return ProviderError(404, message, param="input")


def _apart(item: Item, what: str) -> ProviderError:
    message = f"Item '{item['id']}' of type '{item.get('type', 'message')}' was provided without "
    return ProviderError(400, message + what, param="input")
