"""Anthropic's Messages: the plain and the streamed form of an answer.

Source: Anthropic API reference, "Create a Message" and "Streaming Messages".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from stackproof.gateway.encoding import Closing, event
from stackproof.gateway.errors import ProviderError
from stackproof.gateway.replies import Completion, Reply, ToolCall, pieces

_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use",
            "content_filter": "refusal"}  # fmt: skip


def as_json(completion: Completion) -> dict[str, Any]:
    """The plain form."""
    reply = completion.replies[0]
    content: list[dict[str, Any]] = []
    text = reply.content if reply.refusal is None else reply.refusal
    if text is not None or not reply.tool_calls:
        content.append({"type": "text", "text": text or ""})
    content.extend({**_opening(one), "input": _input(one)} for one in reply.tool_calls)
    usage = {"input_tokens": completion.usage["prompt_tokens"],
             "output_tokens": completion.usage["completion_tokens"]}  # fmt: skip
    return {**_base(completion), "content": content, **_end(reply), "usage": usage}


def _base(completion: Completion) -> dict[str, Any]:
    return {
        "id": f"msg_{completion.number:08d}",
        "type": "message",
        "role": "assistant",
        "model": completion.prompt.model,
    }


def _end(reply: Reply) -> dict[str, Any]:
    reason = reply.finish_reason
    if reply.stopped_by is not None and reason is not None:
        return {"stop_reason": "stop_sequence", "stop_sequence": reply.stopped_by}
    if reply.refusal is not None and reason is not None:
        return {"stop_reason": "refusal", "stop_sequence": None}
    stop_reason = None if reason is None else _REASONS.get(reason, reason)
    return {"stop_reason": stop_reason, "stop_sequence": None}


def _opening(call: ToolCall) -> dict[str, Any]:
    identity = "toolu_" + call.identity.removeprefix("call_")
    return {"type": "tool_use", "id": identity, "name": call.name, "input": {}}


def _input(call: ToolCall) -> Any:
    try:
        return json.loads(call.arguments)
    except ValueError:
        return {"malformed": call.arguments}


def as_events(completion: Completion) -> Iterator[bytes]:
    """The streamed form."""
    whole = as_json(completion)
    usage = {"input_tokens": whole["usage"]["input_tokens"], "output_tokens": 1}
    begun = {**_base(completion), "content": [], "stop_reason": None, "stop_sequence": None}
    yield _event("message_start", message={**begun, "usage": usage})
    last = len(whole["content"]) - 1
    for index, block in enumerate(whole["content"]):
        empty = {**block, "text": ""} if block["type"] == "text" else {**block, "input": {}}
        yield _event("content_block_start", index=index, content_block=empty)
        if index == 0:
            yield _event("ping")
        for delta in _deltas(block):
            yield _event("content_block_delta", index=index, delta=delta)
        stop = _event("content_block_stop", index=index)
        yield Closing(stop) if index == last else stop
    end = {"stop_reason": whole["stop_reason"], "stop_sequence": whole["stop_sequence"]}
    written = {"output_tokens": whole["usage"]["output_tokens"]}
    yield Closing(_event("message_delta", delta=end, usage=written))
    yield Closing(_event("message_stop"))


def _deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if block["type"] == "text":
        yield from ({"type": "text_delta", "text": one} for one in pieces(block["text"]))
        return
    yield {"type": "input_json_delta", "partial_json": ""}
    yield {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}


def _event(kind: str, **fields: Any) -> bytes:
    return event({"type": kind, **fields}, kind)


def error_event(error: ProviderError) -> bytes:
    """An error in mid-stream."""
    envelope = error.anthropic_envelope("req_00000000")
    return event(envelope, "error")
