"""What a request to the Responses API refers to: items, files, vector stores, prompts.

Source: OpenAI API reference, "Create a model response". The text about prompts is that of a user's
report (October 2025). Those about items and vector stores are not confirmed: no report of a real
one was found.
"""

from __future__ import annotations

from typing import Any

from stackproof_gateway.chat_messages import required_text
from stackproof_gateway.errors import ProviderError, bad_type, missing
from stackproof_gateway.requests import OBJECT, STRING, check_shapes, shapes
from stackproof_gateway.response_items import Item, is_reference
from stackproof_gateway.shelf import Shelf


def resolved(items: list[Item], shelf: Shelf) -> list[Item]:
    """The items, with those of earlier responses in the place of references to them.

    Raises:
        ProviderError: If there is no such item.
    """
    if not any(map(is_reference, items)):
        return items
    known = {
        item["id"]: item
        for kept in (
            *(stored.items for stored in shelf.responses.values()),
            *(conversation.items.values() for conversation in shelf.conversations.values()),
        )
        for item in kept
    }
    return [_resolved(item, known) if is_reference(item) else item for item in items]


def _resolved(item: Item, known: dict[str, Item]) -> Item:
    found = known.get(item["id"])
    if found is None:
        raise ProviderError(404, f"Item with id '{item['id']}' not found.", param="input")
    return found


_PROMPT = shapes({OBJECT: "prompt.variables", STRING: "prompt.version"})


def unknown_prompt(body: dict[str, Any]) -> ProviderError | None:
    """That the prompt of a request is not there; None if it names none.

    Prompts are made in the provider's dashboard alone, so that none is there.

    Raises:
        ProviderError: If it does not name one properly.
    """
    given = body.get("prompt")
    if given is None:
        return None
    if not isinstance(given, dict):
        raise bad_type("prompt", "an object", given)
    identity = required_text(given, "prompt", "id")
    check_shapes({f"prompt.{name}": value for name, value in given.items()}, _PROMPT)
    return ProviderError(404, f"Prompt with id '{identity}' not found.")


def check_references(body: dict[str, Any], items: list[Item], shelf: Shelf, now: int) -> None:
    """Refuse what is not there.

    Args:
        body: The request.
        items: Its items.
        shelf: What clients have stored.
        now: Seconds of the namespace's clock.

    Raises:
        ProviderError: If a file or vector store is not there.
    """
    for number, item in enumerate(items):
        content = item.get("content")
        for at, part in enumerate(content if isinstance(content, list) else ()):
            identity = part.get("file_id") if isinstance(part, dict) else None
            if identity is not None and shelf.file(identity, now) is None:
                raise ProviderError(404, f"No such File object: {identity}",
                                    param=f"input[{number}].content[{at}].file_id")  # fmt: skip
    for number, tool in enumerate(body.get("tools") or []):
        if tool.get("type") == "file_search":
            _check_stores(tool.get("vector_store_ids"), f"tools[{number}].vector_store_ids", shelf)


def _check_stores(identities: Any, param: str, shelf: Shelf) -> None:
    if not isinstance(identities, list) or not identities:
        raise missing(param)
    for identity in identities:
        if not isinstance(identity, str) or identity not in shelf.stores:
            raise ProviderError(404, f"Vector store with id [{identity}] not found.", param=param)
