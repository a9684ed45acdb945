"""Chat completions that the client wanted to be stored: listed, read, changed and deleted.

Source: OpenAI API reference, "Chat completions", of those created with `store`.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from stackproof_gateway.call import Call
from stackproof_gateway.chat import as_json
from stackproof_gateway.errors import missing, not_found
from stackproof_gateway.listing import deleted, json_response, page
from stackproof_gateway.metadata import read_metadata, wanted_metadata
from stackproof_gateway.replies import Completion
from stackproof_gateway.requests import parse_body

_ECHOED: dict[str, Any] = {
    "frequency_penalty": 0, "presence_penalty": 0, "response_format": None, "seed": None,
    "service_tier": "default", "temperature": 1.0, "tool_choice": None, "tools": None,
    "top_p": 1.0,
}  # fmt: skip
"""What a stored completion tells of its request."""


def keep(call: Call, body: dict[str, Any], completion: Completion) -> None:
    """Keep an answer, if the client wants it kept."""
    if body.get("store") is not True:
        return
    made = as_json(completion)
    echoed = {
        name: default if body.get(name) is None else body[name] for name, default in _ECHOED.items()
    }
    call.namespace.shelf.chats[made["id"]] = {
        "completion": {
            **made,
            **echoed,
            "input_user": body.get("user"),
            "metadata": read_metadata(body),
            "request_id": f"req_{call.entry.seq:08d}",
        },
        "messages": [
            _stored_message(f"{made['id']}-{at}", message)
            for at, message in enumerate(body["messages"])
        ],
    }


def _stored_message(identity: str, message: dict[str, Any]) -> dict[str, Any]:
    """A message as it is told: a content of parts is told as such, and its text beside it."""
    content, parts = message.get("content"), None
    if isinstance(content, list):
        parts = [part for part in content if part.get("type") in {"text", "image_url"}]
        content = "".join(part["text"] for part in parts if isinstance(part.get("text"), str))
    base = {"name": None, **message, "content": content, "content_parts": parts}
    return {"id": identity, **base}


def _stored(call: Call) -> dict[str, Any]:
    identity = call.request.path_params["completion"]
    stored: dict[str, Any] | None = call.namespace.shelf.chats.get(identity)
    if stored is None:
        raise not_found("ChatCompletion", identity)
    return stored


async def list_chats(call: Call) -> Response:
    """The stored completions, of one model or with some metadata, or all."""
    await call.fail_on_purpose()
    query = call.request.query_params
    model, wanted = query.get("model"), wanted_metadata(query)
    found = [stored["completion"] for stored in call.namespace.shelf.chats.values()]
    return page(
        call,
        [
            made
            for made in found
            if model in {None, made["model"]} and wanted.items() <= made["metadata"].items()
        ],
        order="asc",
    )


async def get_chat(call: Call) -> Response:
    """A stored completion."""
    await call.fail_on_purpose()
    return json_response(_stored(call)["completion"])


async def update_chat(call: Call) -> Response:
    """Give a stored completion other metadata."""
    await call.fail_on_purpose()
    stored, body = _stored(call), parse_body(call.data)
    if "metadata" not in body:
        raise missing("metadata")
    stored["completion"]["metadata"] = read_metadata(body)
    return json_response(stored["completion"])


async def delete_chat(call: Call) -> Response:
    """Forget a stored completion."""
    await call.fail_on_purpose()
    identity = _stored(call)["completion"]["id"]
    del call.namespace.shelf.chats[identity]
    return deleted(identity, "chat.completion")


async def list_messages(call: Call) -> Response:
    """What a stored completion was an answer to."""
    await call.fail_on_purpose()
    return page(call, _stored(call)["messages"], order="asc")
