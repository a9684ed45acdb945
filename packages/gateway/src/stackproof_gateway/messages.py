"""Anthropic's Messages: the plain and the streamed form of an answer.

Source: Anthropic API reference, "Create a Message" and "Streaming Messages".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from stackproof_gateway.call import Call
from stackproof_gateway.encoding import Closing, event
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.message_built_in import built_in_blocks, tool_counts
from stackproof_gateway.message_context import applied
from stackproof_gateway.message_thinking import keep_thoughts, thinking_blocks
from stackproof_gateway.message_tools import forced_built_in
from stackproof_gateway.replies import BuiltInUse, Completion, Reply, ToolCall, pieces

_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use",
            "content_filter": "refusal"}  # fmt: skip
_USES = ("mcp_tool_use", "server_tool_use", "tool_use")
_EMPTY: dict[str, dict[str, Any]] = {
    "text": {"text": ""}, "thinking": {"thinking": "", "signature": ""},
    **{name: {"input": {}} for name in _USES},
}  # fmt: skip
"""What a block begins with in a stream, by its type."""
_AT_THE_START = ("cache_creation", "service_tier")
"""What a stream tells of the usage at its beginning alone, by the types of the SDK."""


def as_json(completion: Completion) -> dict[str, Any]:
    """The plain form."""
    reply = completion.replies[0]
    shown = completion.prompt.reasoning == "shown"
    content = list(thinking_blocks(reply.reasoning, shown=shown))
    uses = list(reply.built_in)
    forced = forced_built_in(completion.prompt.body)
    if forced and not uses:
        uses.append(BuiltInUse(forced, {}, error="unavailable"))
    content.extend(built_in_blocks(uses, completion.number))
    text = reply.content if reply.refusal is None else reply.refusal
    if text is not None or not reply.tool_calls:
        content.append({"type": "text", "text": text or ""})
    content.extend({**_opening(call), "input": _input(call)} for call in reply.tool_calls)
    usage = {**_usage(completion), "server_tool_use": tool_counts(uses)}
    return {**_base(completion), "content": content, **_end(reply), "usage": usage,
            **applied(completion.prompt)}  # fmt: skip


def _usage(completion: Completion) -> dict[str, Any]:
    """Tokens as the provider tells them: those of the cache are no input tokens.

    A script may give the provider's own names as well as the gateway's.
    """
    told = completion.usage
    read, written = told.get("cached_tokens", 0), told.get("cache_write_tokens", 0)
    hour = told.get("cache_write_1h_tokens", 0)
    usage: dict[str, Any] = {
        "input_tokens": max(told["prompt_tokens"] - read - written, 0),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": max(written - hour, 0), "ephemeral_1h_input_tokens": hour,
        },
        "output_tokens": told["completion_tokens"],
        "service_tier": "standard",
    }  # fmt: skip
    usage |= {name: told[name] for name in usage if name in told}
    if "reasoning_tokens" in told:
        usage["output_tokens_details"] = {"thinking_tokens": told["reasoning_tokens"]}
    return usage


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
    usage = {**whole["usage"], "output_tokens": 1}
    usage.pop("output_tokens_details", None)
    told_last = {name: count for name, count in whole["usage"].items() if name not in _AT_THE_START}
    begun = {**_base(completion), "content": [], "stop_reason": None, "stop_sequence": None}
    yield _event("message_start", message={**begun, "usage": usage})
    last = len(whole["content"]) - 1
    for index, block in enumerate(whole["content"]):
        begun = {**block, **_EMPTY.get(block["type"], {})}
        yield _event("content_block_start", index=index, content_block=begun)
        if index == 0:
            yield _event("ping")
        for delta in _deltas(block):
            yield _event("content_block_delta", index=index, delta=delta)
        stop = _event("content_block_stop", index=index)
        yield Closing(stop) if index == last else stop
    end = {"stop_reason": whole["stop_reason"], "stop_sequence": whole["stop_sequence"]}
    edits = applied(completion.prompt)
    yield Closing(_event("message_delta", delta=end, usage=told_last, **edits))
    yield Closing(_event("message_stop"))


def _deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a block's stream brings; redacted thoughts and results come whole at their start."""
    if block["type"] == "text":
        yield from ({"type": "text_delta", "text": piece} for piece in pieces(block["text"]))
    if block["type"] == "thinking":
        for piece in pieces(block["thinking"]):
            yield {"type": "thinking_delta", "thinking": piece}
        yield {"type": "signature_delta", "signature": block["signature"]}
    if block["type"] not in _USES:
        return
    yield {"type": "input_json_delta", "partial_json": ""}
    yield {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}


def keep(call: Call, _body: dict[str, Any], completion: Completion) -> None:
    """Note what was thought before tools, so that a history without it is known."""
    if completion.replies[0].reasoning and completion.replies[0].tool_calls:
        keep_thoughts(as_json(completion)["content"], call.namespace.shelf)


def _event(kind: str, **fields: Any) -> bytes:
    return event({"type": kind, **fields}, kind)


def error_event(error: ProviderError) -> bytes:
    """An error in mid-stream."""
    envelope = error.anthropic_envelope("req_00000000")
    return event(envelope, "error")
