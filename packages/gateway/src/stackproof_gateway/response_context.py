"""What a request to the Responses API goes on from: its input, earlier responses, a conversation.

Source: OpenAI guide "Conversation state". The text about two of them at once was not compared with
the provider's.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

from stackproof_gateway.call import Call
from stackproof_gateway.conversations import conversation_of
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.response_items import Item, check_outputs, input_items
from stackproof_gateway.response_reasoning import check_reasoning_order
from stackproof_gateway.response_references import check_references, resolved


def read_context(call: Call, body: dict[str, Any]) -> tuple[list[Item], list[Item]]:
    """The items before a request, oldest first, and its own.

    Raises:
        ProviderError: If something is not there, or does not fit together.
    """
    shelf = call.namespace.shelf
    conversation = conversation_of(body.get("conversation"), shelf)
    previous = body.get("previous_response_id")
    if conversation is not None and previous is not None:
        raise ProviderError(400, "Mutually exclusive parameters: 'previous_response_id' and "
                            "'conversation'. Ensure you are only providing one of: "
                            "'previous_response_id' or 'conversation'.",
                            param="previous_response_id",
                            code="mutually_exclusive_parameters")  # fmt: skip
    before = list(conversation.items.values()) if conversation else _earlier(call, previous)
    goes_on = before or body.get("prompt") is not None
    items = [] if goes_on and body.get("input") is None else resolved(input_items(body), shelf)
    check_outputs(before, items)
    kept = chain(
        (stored.response["output"] for stored in shelf.responses.values()),
        (one.items.values() for one in shelf.conversations.values()),
    )
    check_reasoning_order(body, before, items, kept)
    check_references(body, items, shelf, call.created)
    return before, items


def _earlier(call: Call, identity: str | None) -> list[Item]:
    """The items of the responses that this one follows, oldest first."""
    found: list[Item] = []
    while identity:
        stored = call.namespace.shelf.responses.get(identity)
        if stored is None:
            raise ProviderError(400, f"Previous response with id '{identity}' not found.",
                                param="previous_response_id",
                                code="previous_response_not_found")  # fmt: skip
        found = [*stored.items, *found]
        identity = stored.response["previous_response_id"]
    return found
