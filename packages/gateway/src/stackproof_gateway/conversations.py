"""Conversations and their items: made, read, changed, deleted, and gone on with by responses.

Source: OpenAI API reference, "Conversations". The texts about what is not there were not compared
with the provider's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from stackproof_gateway.call import Call
from stackproof_gateway.errors import ProviderError, bad_type
from stackproof_gateway.listing import deleted, json_response, made, page
from stackproof_gateway.metadata import read_metadata
from stackproof_gateway.requests import check_size, parse_body
from stackproof_gateway.response_items import Item, checked_items, kept_items
from stackproof_gateway.response_references import resolved
from stackproof_gateway.shelf import Shelf

MOST_ITEMS = 20
"""Items that one request can add."""
MOST_LISTED = 100
"""Items of a page at the most."""


@dataclass
class Conversation:
    """A conversation.

    Attributes:
        identity: Its id.
        created: Seconds of the namespace's clock.
        metadata: What the user says of it.
        items: Its items by id, oldest first.
    """

    identity: str
    created: int
    metadata: dict[str, str]
    items: dict[str, Item] = field(default_factory=dict)

    def add(self, items: list[Item]) -> None:
        """Add items; those that it has already stay where they are."""
        for item in items:
            self.items.setdefault(item["id"], item)


def conversation_of(given: Any, shelf: Shelf) -> Conversation | None:
    """The conversation that a request names; None if it names none.

    Raises:
        ProviderError: If there is no such conversation.
    """
    if given is None:
        return None
    identity = given.get("id") if isinstance(given, dict) else given
    if not isinstance(identity, str):
        raise bad_type("conversation", "a string or an object", given)
    return _found(identity, shelf, "conversation")


def _found(identity: str, shelf: Shelf, param: str | None = None) -> Conversation:
    found: Conversation | None = shelf.conversations.get(identity)
    if found is None:
        raise ProviderError(404, f"Conversation with id '{identity}' not found.", param=param)
    return found


def _own(call: Call) -> Conversation:
    return _found(call.request.path_params["conversation"], call.namespace.shelf)


def _body(call: Call) -> dict[str, Any]:
    return parse_body(call.data) if call.data else {}


def _to_json(conversation: Conversation) -> dict[str, Any]:
    return made(
        conversation.identity,
        "conversation",
        conversation.created,
        metadata=conversation.metadata,
    )


async def create_conversation(call: Call) -> Response:
    """Make a conversation, with the items that it is given."""
    await call.fail_on_purpose()
    body = _body(call)
    metadata, items = read_metadata(body), _items(call, body) if body.get("items") else []
    conversation = Conversation(call.namespace.next_id("conv_"), call.created, metadata)
    conversation.add(items)
    call.namespace.shelf.conversations[conversation.identity] = conversation
    return json_response(_to_json(conversation))


def _items(call: Call, body: dict[str, Any]) -> list[Item]:
    """The items of a request, as they are kept."""
    items = checked_items(body.get("items"), "items")
    check_size(items, "items", MOST_ITEMS)
    return kept_items(resolved(items, call.namespace.shelf), call.entry.seq)


async def get_conversation(call: Call) -> Response:
    """What is known of a conversation."""
    await call.fail_on_purpose()
    return json_response(_to_json(_own(call)))


async def update_conversation(call: Call) -> Response:
    """Give a conversation other metadata."""
    await call.fail_on_purpose()
    conversation = _own(call)
    conversation.metadata = read_metadata(_body(call))
    return json_response(_to_json(conversation))


async def delete_conversation(call: Call) -> Response:
    """Forget a conversation."""
    await call.fail_on_purpose()
    conversation = _own(call)
    del call.namespace.shelf.conversations[conversation.identity]
    return deleted(conversation.identity, "conversation")


async def list_items(call: Call) -> Response:
    """The items of a conversation."""
    await call.fail_on_purpose()
    return page(call, _own(call).items.values(), most=MOST_LISTED)


async def create_items(call: Call) -> Response:
    """Add items to a conversation."""
    await call.fail_on_purpose()
    conversation, items = _own(call), _items(call, _body(call))
    conversation.add(items)
    ends = {"first_id": items[0]["id"], "last_id": items[-1]["id"]}
    return json_response({"object": "list", "data": items, "has_more": False, **ends})


def _own_item(call: Call) -> tuple[Conversation, Item]:
    conversation, identity = _own(call), call.request.path_params["item"]
    item = conversation.items.get(identity)
    if item is None:
        raise ProviderError(404, f"Item with id '{identity}' not found.")
    return conversation, item


async def get_item(call: Call) -> Response:
    """One item of a conversation."""
    await call.fail_on_purpose()
    return json_response(_own_item(call)[1])


async def delete_item(call: Call) -> Response:
    """Take an item out of a conversation."""
    await call.fail_on_purpose()
    conversation, item = _own_item(call)
    del conversation.items[item["id"]]
    return json_response(_to_json(conversation))
