"""What the Responses API says of an input without an answer: its tokens, and a compact form of it.

Source: OpenAI API reference, "Count input tokens" and "Compact a response".
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from stackproof_gateway.call import Call
from stackproof_gateway.listing import json_response, made
from stackproof_gateway.prompt import count_tokens
from stackproof_gateway.requests import parse_body
from stackproof_gateway.response_compaction import compaction_item
from stackproof_gateway.response_context import read_context
from stackproof_gateway.response_items import kept_items
from stackproof_gateway.response_requests import KNOWN_FIELDS, read_response
from stackproof_gateway.usage import response_usage


async def count_input_tokens(call: Call) -> Response:
    """The tokens of an input; a model need not be named."""
    await call.fail_on_purpose()
    body: dict[str, Any] = {"model": "any", **parse_body(call.data)}
    call.entry.model = str(body["model"])
    prompt = read_response(call, body)
    if prompt.unscripted is not None:
        raise prompt.unscripted
    call.entry.usage = {"prompt_tokens": prompt.tokens, "total_tokens": prompt.tokens}
    return json_response({"object": "response.input_tokens", "input_tokens": prompt.tokens})


async def compact(call: Call) -> Response:
    """The user's messages of a conversation, and the rest of it as one item."""
    await call.fail_on_purpose()
    body = call.body(KNOWN_FIELDS)
    prompt = read_response(call, body)
    if prompt.unscripted is not None:
        raise prompt.unscripted
    before, items = read_context(call, body)
    kept = kept_items([*before, *items], call.entry.seq)
    number = f"{call.entry.seq:08d}"
    made_item = compaction_item(kept, f"cmp_{number}")
    said = [item for item in kept if item["type"] == "message" and item["role"] == "user"]
    written = count_tokens(" ".join(turn.text for turn in prompt.turns if turn.role != "user"))
    usage = {"prompt_tokens": prompt.tokens, "completion_tokens": written,
             "total_tokens": prompt.tokens + written}  # fmt: skip
    call.entry.usage = usage
    return json_response(
        made(f"resp_{number}", "response.compaction", call.created,
             output=[*said, made_item], usage=response_usage(usage))
    )  # fmt: skip
