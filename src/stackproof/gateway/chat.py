"""Chat completions: the plain and the streamed form of an answer.

Source: OpenAI API reference, "The chat completion object" and "The chat completion chunk object".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stackproof.gateway.encoding import Closing, event
from stackproof.gateway.replies import Completion, Reply, ToolCall, pieces

FINGERPRINT = "fp_stackproof"


def as_json(completion: Completion) -> dict[str, Any]:
    """The plain form."""
    return {
        "id": f"chatcmpl-{completion.number:08d}",
        "object": "chat.completion",
        "created": completion.created,
        "model": completion.prompt.model,
        "choices": [
            {
                "index": index,
                "message": _message(reply),
                "logprobs": None,
                "finish_reason": reply.finish_reason,
            }
            for index, reply in enumerate(completion.replies)
        ],
        "usage": completion.usage,
        "system_fingerprint": FINGERPRINT,
    }


def _message(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": reply.content,
        "refusal": reply.refusal,
    }
    if reply.tool_calls:
        message["tool_calls"] = [_call(one) for one in reply.tool_calls]
    return message


def _call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.identity, "type": "function", "function": function}


def as_events(completion: Completion) -> Iterator[bytes]:
    """The streamed form: server-sent events, the last one `[DONE]`."""
    include_usage = completion.prompt.include_usage
    base: dict[str, Any] = {
        "id": f"chatcmpl-{completion.number:08d}",
        "object": "chat.completion.chunk",
        "created": completion.created,
        "model": completion.prompt.model,
        "system_fingerprint": FINGERPRINT,
    }
    extra: dict[str, Any] = {"usage": None} if include_usage else {}

    def chunk(index: int, delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}
        return event({**base, "choices": [choice], **extra})

    for index, reply in enumerate(completion.replies):
        for delta in _deltas(reply):
            yield chunk(index, delta)
    for index, reply in enumerate(completion.replies):
        yield Closing(chunk(index, {}, reply.finish_reason))
    if include_usage:
        yield Closing(event({**base, "choices": [], "usage": completion.usage}))
    yield Closing(b"data: [DONE]\n\n")


def _deltas(reply: Reply) -> Iterator[dict[str, Any]]:
    first: dict[str, Any] = {"role": "assistant", "content": None if reply.tool_calls else ""}
    if reply.content is not None or not reply.tool_calls:
        yield {"role": "assistant", "content": ""}
        for piece in pieces(reply.content or ""):
            yield {"content": piece}
        first = {}
    if reply.refusal:
        yield {"refusal": reply.refusal}
    for at, call in enumerate(reply.tool_calls):
        opening = {**_call(call), "index": at, "function": {"name": call.name, "arguments": ""}}
        yield {**(first if at == 0 else {}), "tool_calls": [opening]}
        arguments = {"arguments": call.arguments}
        yield {"tool_calls": [{"index": at, "function": arguments}]}
