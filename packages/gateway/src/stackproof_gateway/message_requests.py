"""Anthropic's Messages: what the provider refuses, and what is asked for.

Source: Anthropic API reference, "Create a Message" and "Count tokens in a Message".
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from stackproof_gateway.call import Call
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.listing import json_response
from stackproof_gateway.message_caching import breakpoints, rows_of
from stackproof_gateway.message_context import undone
from stackproof_gateway.message_fields import check_fields, check_model, read_bound, read_schema
from stackproof_gateway.message_sources import check_sources
from stackproof_gateway.message_thinking import (
    check_kept,
    check_thinking,
    reasoning_of,
    thought_tokens,
)
from stackproof_gateway.message_tools import forced_tool, read_tools
from stackproof_gateway.message_turns import read_turns
from stackproof_gateway.prompt import Prompt, text_of

KNOWN_FIELDS = frozenset(
    "betas cache_control compaction container context_management inference_geo max_tokens "
    "mcp_servers messages metadata model output_config output_format service_tier speed "
    "stop_sequences stream system temperature thinking thread tool_choice tools top_k top_p".split()
)


def read_message(call: Call, body: dict[str, Any], *, counted: bool = False) -> Prompt:
    """What a request for a message asks for.

    Args:
        call: The call.
        body: The request.
        counted: Whether only its tokens are asked for, so that it needs no bound.

    Raises:
        ProviderError: If the request is one that the provider refuses.
    """
    _refuse_thread(body)
    messages = read_turns(body)
    check_sources(call, messages)
    bound = None if counted else read_bound(body)
    check_fields(body)
    check_thinking(body, messages, bound, call.entry.model, call.rules)
    tools = read_tools(body)
    rows = rows_of(body, messages)
    breakpoints(body, rows)
    tokens = max(sum(len(row.text.split()) for row in rows), 1) + thought_tokens(messages)
    check_model(body, messages, call.entry.model, tokens, call.rules)
    asked = [text_of(message["content"]) for message in messages if message["role"] == "user"]
    reasoning = reasoning_of(body, call.rules)
    if reasoning != "none":
        check_kept(messages, call.namespace.shelf)
    return Prompt(
        model=call.entry.model,
        path=call.entry.path,
        asked=next((text for text in reversed(asked) if text), ""),
        tokens=tokens,
        tools=tools,
        forced=forced_tool(body, tools),
        schema=read_schema(body),
        stop=tuple(body.get("stop_sequences") or ()),
        bound=bound,
        stream=bool(body.get("stream")),
        reasoning=reasoning,
        body=body,
        unscripted=undone(body, messages, tokens),
    )


def _refuse_thread(body: dict[str, Any]) -> None:
    """Refuse a thread so that the SDK's tool runner sends the whole conversation instead."""
    if body.get("thread") is not None:
        raise ProviderError(
            400,
            "thread: this gateway has no threads. Send the full conversation without `thread`.",
            param="thread",
            details={"error_code": "thread_unsupported_request"},
        )


async def count_message_tokens(call: Call) -> Response:
    """How many tokens a request for a message has."""
    body = call.body(KNOWN_FIELDS)
    prompt = read_message(call, body, counted=True)
    await call.fail_on_purpose()
    call.entry.usage = {"prompt_tokens": prompt.tokens, "total_tokens": prompt.tokens}
    if prompt.unscripted is not None:
        raise prompt.unscripted
    edited = {"context_management": {"original_input_tokens": prompt.tokens}}
    return json_response({
        "input_tokens": prompt.tokens,
        **(edited if body.get("context_management") is not None else {}),
    })  # fmt: skip
