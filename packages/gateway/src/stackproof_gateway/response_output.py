"""The items of an answer of the Responses API.

Source: OpenAI API reference, "The response object".
"""

from __future__ import annotations

from typing import Any

from stackproof_gateway.built_in_items import placed, told_item
from stackproof_gateway.built_in_uses import items_of
from stackproof_gateway.file_search import citations
from stackproof_gateway.logprobs import logprobs_of
from stackproof_gateway.replies import Completion, Reply, ToolCall, pieces
from stackproof_gateway.response_reasoning import reasoning_item

Item = dict[str, Any]

LOGPROBS = "message.output_text.logprobs"
INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Why an answer is not complete, by the reason to finish."""


def output_items(completion: Completion) -> list[Item]:
    """The items of an answer: compact context, reasoning, built-in tools, message, called tools."""
    reply, items = completion.replies[0], []
    if completion.prompt.compaction:
        items.append({"id": f"cmp_{completion.number:08d}", "type": "compaction",
                      "encrypted_content": completion.prompt.compaction})  # fmt: skip
    if reply.reasoning:
        items.append(reasoning_item(completion, reply.reasoning))
    include = completion.prompt.body.get("include")
    said = (*items_of(reply.built_in), *reply.items)
    for at, item in enumerate(said or _searched(completion, reply)):
        items.append(told_item(item, f"{completion.number:08d}_{at}", include))
    if reply.content is not None or reply.refusal or not (reply.tool_calls or said):
        items.append(_message(completion, reply))
    for at, call in enumerate(reply.tool_calls):
        items.append(_call(call, f"{completion.number:08d}_{at}"))
    return items


def _searched(completion: Completion, reply: Reply) -> tuple[Item, ...]:
    """What was searched before the model spoke; calling a function it has not searched."""
    return () if reply.tool_calls else completion.prompt.searched


def _message(completion: Completion, reply: Reply) -> Item:
    whole = reply.finish_reason is not None and reply.finish_reason not in INCOMPLETE
    return {
        "type": "message",
        "id": f"msg_{completion.number:08d}",
        "status": "completed" if whole else "incomplete",
        "role": "assistant",
        "content": [_part(completion, reply)],
    }


def _part(completion: Completion, reply: Reply) -> Item:
    if reply.refusal is not None:
        return {"type": "refusal", "refusal": reply.refusal}
    text, body = reply.content or "", completion.prompt.body
    asked = LOGPROBS in (body.get("include") or ()) or body.get("top_logprobs")
    logprobs = logprobs_of(pieces(text), body.get("top_logprobs") or 0) if asked else []
    cited = reply.annotations or citations(_searched(completion, reply))
    annotations = [placed(annotation, text) for annotation in cited]
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": logprobs}


def _call(call: ToolCall, number: str) -> Item:
    if call.kind == "custom":
        return {"type": "custom_tool_call", "id": f"ctc_{number}", "call_id": call.identity,
                "name": call.name, "input": call.arguments, "status": "completed"}  # fmt: skip
    return {
        "type": "function_call",
        "id": f"fc_{number}",
        "call_id": call.identity,
        "name": call.name,
        "arguments": call.arguments,
        "status": "completed",
    }
