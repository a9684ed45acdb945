"""The Responses API: the plain and the streamed form of an answer, and stored answers.

Source: OpenAI API reference, "The response object" and "Streaming events".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from starlette.responses import Response

from stackproof.gateway.call import Call
from stackproof.gateway.encoding import Closing, event
from stackproof.gateway.errors import ProviderError
from stackproof.gateway.listing import deleted, json_response, page
from stackproof.gateway.replies import Completion, Reply, pieces
from stackproof.gateway.response_requests import input_items

Item = dict[str, Any]
_ECHOED: dict[str, Any] = {
    "instructions": None, "max_output_tokens": None, "metadata": {}, "parallel_tool_calls": True,
    "previous_response_id": None, "reasoning": {"effort": None, "summary": None}, "store": True,
    "temperature": 1.0, "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [],
    "top_p": 1.0, "truncation": "disabled", "user": None,
}  # fmt: skip
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def as_json(completion: Completion) -> dict[str, Any]:
    """The plain form."""
    reply = completion.replies[0]
    incomplete = _INCOMPLETE.get(reply.finish_reason or "")
    status = "incomplete" if incomplete or reply.finish_reason is None else "completed"
    made = _response(completion, status, _output(completion, reply))
    made["incomplete_details"] = {"reason": incomplete} if incomplete else None
    made["usage"] = _usage(completion)
    return made


def _response(completion: Completion, status: str, output: list[Item]) -> dict[str, Any]:
    body = completion.prompt.body
    given = {
        name: default if body.get(name) is None else body[name] for name, default in _ECHOED.items()
    }
    return {
        "id": f"resp_{completion.number:08d}",
        "object": "response",
        "created_at": completion.created,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": completion.prompt.model,
        "output": output,
        "usage": None,
        **given,
    }


def _usage(completion: Completion) -> dict[str, Any]:
    usage = completion.usage
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage["total_tokens"],
    }


def _output(completion: Completion, reply: Reply) -> list[Item]:
    """The items of an answer: a message, function calls, or both."""
    items: list[Item] = []
    if reply.content is not None or reply.refusal or not reply.tool_calls:
        items.append({
            "type": "message",
            "id": f"msg_{completion.number:08d}",
            "status": "completed",
            "role": "assistant",
            "content": [_part(reply)],
        })  # fmt: skip
    for at, one in enumerate(reply.tool_calls):
        items.append({
            "type": "function_call",
            "id": f"fc_{completion.number:08d}_{at}",
            "call_id": one.identity,
            "name": one.name,
            "arguments": one.arguments,
            "status": "completed",
        })  # fmt: skip
    return items


def _part(reply: Reply) -> Item:
    if reply.refusal is not None:
        return {"type": "refusal", "refusal": reply.refusal}
    text = reply.content or ""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


class _Events:
    """Server-sent events with a number each."""

    def __init__(self) -> None:
        self.number = -1

    def __call__(self, kind: str, **fields: Any) -> bytes:
        self.number += 1
        return event({"type": kind, "sequence_number": self.number, **fields}, kind)


def as_events(completion: Completion) -> Iterator[bytes]:
    """The streamed form; it has no `[DONE]`."""
    made = _Events()
    whole = as_json(completion)
    begun = _response(completion, "in_progress", [])
    yield made("response.created", response=begun)
    yield made("response.in_progress", response=begun)
    for index, item in enumerate(whole["output"]):
        events = _message_events if item["type"] == "message" else _function_events
        yield from events(made, index, item)
    kind = "response.incomplete" if whole["status"] == "incomplete" else "response.completed"
    yield Closing(made(kind, response=whole))


def _message_events(made: _Events, index: int, item: Item) -> Iterator[bytes]:
    begun = {**item, "status": "in_progress", "content": []}
    yield made("response.output_item.added", output_index=index, item=begun)
    part = item["content"][0]
    key = "refusal" if part["type"] == "refusal" else "text"
    name = "response.refusal" if key == "refusal" else "response.output_text"
    place = {"item_id": item["id"], "output_index": index, "content_index": 0}
    extra: dict[str, Any] = {} if key == "refusal" else {"logprobs": []}
    yield made("response.content_part.added", **place, part={**part, key: ""})
    for piece in pieces(part[key]):
        yield made(f"{name}.delta", **place, delta=piece, **extra)
    yield Closing(made(f"{name}.done", **place, **{key: part[key]}, **extra))
    yield Closing(made("response.content_part.done", **place, part=part))
    yield Closing(made("response.output_item.done", output_index=index, item=item))


def _function_events(made: _Events, index: int, item: Item) -> Iterator[bytes]:
    begun = {**item, "status": "in_progress", "arguments": ""}
    yield made("response.output_item.added", output_index=index, item=begun)
    place = {"item_id": item["id"], "output_index": index}
    name = "response.function_call_arguments"
    yield made(f"{name}.delta", **place, delta=item["arguments"])
    yield Closing(made(f"{name}.done", **place, name=item["name"], arguments=item["arguments"]))
    yield Closing(made("response.output_item.done", output_index=index, item=item))


def error_event(error: ProviderError) -> bytes:
    """An error in mid-stream."""
    fields = {"code": "server_error", "message": error.message, "param": None}
    return event({"type": "error", "sequence_number": 0, **fields}, "error")


def keep(call: Call, body: dict[str, Any], completion: Completion) -> None:
    """Keep an answer, unless the client does not want it kept."""
    if body.get("store") is not False:
        stored = {"response": as_json(completion), "input": input_items(body)}
        call.namespace.shelf.responses[f"resp_{completion.number:08d}"] = stored


def _stored(call: Call) -> dict[str, Any]:
    identity = call.request.path_params["response"]
    stored: dict[str, Any] | None = call.namespace.shelf.responses.get(identity)
    if stored is None:
        raise ProviderError(404, f"Response with id '{identity}' not found.")
    return stored


async def get_response(call: Call) -> Response:
    """A stored answer."""
    return json_response(_stored(call)["response"])


async def delete_response(call: Call) -> Response:
    """Forget a stored answer."""
    _stored(call)
    identity = call.request.path_params["response"]
    del call.namespace.shelf.responses[identity]
    return deleted(identity, "response")


async def get_input_items(call: Call) -> Response:
    """What a stored answer was an answer to."""
    items = [
        {"id": f"item_{at}", "type": "message", **one}
        for at, one in enumerate(_stored(call)["input"])
    ]
    return page(call, items)
