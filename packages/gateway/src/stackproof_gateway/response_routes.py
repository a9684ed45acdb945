"""The endpoints of the Responses API beside the one that answers, and those of conversations."""

from __future__ import annotations

from stackproof_gateway import conversations, response_inputs, response_store
from stackproof_gateway.call import Answer

_RESPONSE = "/responses/{response}"
_CONVERSATION = "/conversations/{conversation}"
_ITEMS = f"{_CONVERSATION}/items"
ENDPOINTS: tuple[tuple[str, str, Answer], ...] = (
    ("POST", "/responses/input_tokens", response_inputs.count_input_tokens),
    ("POST", "/responses/compact", response_inputs.compact),
    ("GET", _RESPONSE, response_store.get_response),
    ("DELETE", _RESPONSE, response_store.delete_response),
    ("POST", f"{_RESPONSE}/cancel", response_store.cancel_response),
    ("GET", f"{_RESPONSE}/input_items", response_store.get_input_items),
    ("POST", "/conversations", conversations.create_conversation),
    ("GET", _CONVERSATION, conversations.get_conversation),
    ("POST", _CONVERSATION, conversations.update_conversation),
    ("DELETE", _CONVERSATION, conversations.delete_conversation),
    ("GET", _ITEMS, conversations.list_items),
    ("POST", _ITEMS, conversations.create_items),
    ("GET", f"{_ITEMS}/{{item}}", conversations.get_item),
    ("DELETE", f"{_ITEMS}/{{item}}", conversations.delete_item),
)
