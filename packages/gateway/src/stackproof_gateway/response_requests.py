"""Requests to the Responses API: what the provider refuses, and what is asked for.

Source: OpenAI API reference, "Create a model response".
"""

from __future__ import annotations

from typing import Any

from stackproof_gateway.call import Call
from stackproof_gateway.chat_requests import (
    MOST_TOP_LOGPROBS,
    read_schema,
)
from stackproof_gateway.errors import ProviderError, bad_type, bad_value
from stackproof_gateway.file_search import searched
from stackproof_gateway.metadata import read_metadata
from stackproof_gateway.model_checks import check_response_model
from stackproof_gateway.prompt import Prompt, count_tokens, text_of
from stackproof_gateway.requests import (
    BOOLEAN,
    OBJECT,
    OBJECTS,
    STRING,
    STRING_OR_OBJECT,
    check_choice,
    check_count,
    check_sampling,
    check_shapes,
    shapes,
)
from stackproof_gateway.response_compaction import (
    compacted_text,
    read_threshold,
    refused_trigger,
    seen_items,
    whole_context,
)
from stackproof_gateway.response_context import read_context
from stackproof_gateway.response_reasoning import SUMMARIES, reasoning_of
from stackproof_gateway.response_references import unknown_prompt
from stackproof_gateway.tool_offers import forced_tool, read_tools

LEAST_OUTPUT_TOKENS = 16
INCLUDABLE = (
    "code_interpreter_call.outputs", "computer_call_output.output.image_url",
    "file_search_call.results", "message.input_image.image_url", "message.output_text.logprobs",
    "reasoning.encrypted_content", "web_search_call.action.sources", "web_search_call.results",
)  # fmt: skip
"""What `include` can ask for, as OpenAI's SDK 3.52 lists it."""
TOOL_TYPES = (
    "apply_patch", "code_interpreter", "computer", "computer_use_preview", "custom", "file_search",
    "function", "image_generation", "local_shell", "mcp", "namespace", "programmatic_tool_calling",
    "shell", "tool_search", "web_search", "web_search_2025_08_26", "web_search_preview",
    "web_search_preview_2025_03_11",
)  # fmt: skip
"""Types of tools, as OpenAI's SDK 3.52 lists them."""
KNOWN_FIELDS = frozenset(
    "access_programs background context_management conversation image include input "
    "instructions max_output_tokens max_tool_calls metadata model moderation "
    "parallel_tool_calls previous_response_id prompt prompt_cache_key prompt_cache_options "
    "prompt_cache_retention reasoning safety_identifier service_tier store stream "
    "stream_options temperature text tool_choice tools top_logprobs top_p truncation user".split()
)
_SHAPES = shapes({
    BOOLEAN: "stream store background parallel_tool_calls",
    OBJECT: "text metadata reasoning prompt_cache_options",
    OBJECTS: "tools",
    STRING: "previous_response_id",
    STRING_OR_OBJECT: "tool_choice",
    ((str, list), "a string"): "instructions",
    (list, "an array"): "include",
})  # fmt: skip


def read_response(call: Call, body: dict[str, Any]) -> Prompt:
    """What a request for a response asks for.

    Raises:
        ProviderError: If the request is one that the provider refuses.
    """
    check_sampling(body)
    check_shapes(body, _SHAPES)
    check_count(body, "top_logprobs", MOST_TOP_LOGPROBS, lowest=0)
    _check_words(body)
    read_metadata(body)
    tools = read_tools(body, TOOL_TYPES, nested=False)
    threshold, prompt = read_threshold(body), unknown_prompt(body)
    before, items = read_context(call, body)
    seen = seen_items([*before, *items])
    schema, wants_json = _form(body)
    asked = [_text(item) for item in items if item.get("role") == "user"]
    texts = [text_of(body.get("instructions")), *(_text(item) for item in seen)]
    if wants_json and not any("json" in text.lower() for text in texts):
        raise ProviderError(
            400,
            "Response input messages must contain the word 'json' in some form "
            "to use 'text.format' of type 'json_object'.",
            param="input",
        )
    is_asked = bool(items) and items[-1].get("role") == "user"
    tokens = sum(count_tokens(text) for text in texts if text)
    check_response_model(body, call.rules, tokens)
    return Prompt(
        model=call.entry.model,
        path=call.entry.path,
        asked=asked[-1] if asked else "",
        tokens=tokens,
        tools=tools,
        forced=forced_tool(body, tools, TOOL_TYPES, nested=False),
        schema=schema,
        wants_json=wants_json,
        bound=check_count(body, "max_output_tokens", lowest=LEAST_OUTPUT_TOKENS),
        stream=bool(body.get("stream")),
        background=_background(body),
        searched=searched(call, body, asked[-1] if is_asked else ""),
        reasoning=reasoning_of((body.get("reasoning") or {}).get("effort"), call.rules),
        body=body,
        earlier=before,
        compaction=whole_context(seen, threshold) if threshold and tokens > threshold else "",
        unscripted=prompt or refused_trigger(items),
    )


def _check_words(body: dict[str, Any]) -> None:
    """Refuse words of the request that the provider does not know."""
    for number, word in enumerate(body.get("include") or ()):
        check_choice(word, f"include[{number}]", INCLUDABLE)
    if body.get("truncation") is not None:
        check_choice(body["truncation"], "truncation", ("auto", "disabled"))
    for name in ("summary", "generate_summary"):
        word = (body.get("reasoning") or {}).get(name)
        if word is not None:
            check_choice(word, f"reasoning.{name}", SUMMARIES)


def _background(body: dict[str, Any]) -> bool:
    """Whether the answer is made in the background; it is kept then.

    No report of the provider's text was found.
    """
    if body.get("background") and body.get("store") is False:
        raise ProviderError(400, "Background mode requires 'store' to be true.", param="store")
    return bool(body.get("background"))


def _text(item: dict[str, Any]) -> str:
    if item.get("type") == "compaction":
        return compacted_text(item)
    return text_of(item.get("content", item.get("output")))


def _form(body: dict[str, Any]) -> tuple[Any, bool]:
    """The schema that the answer must fit, and whether it must be a JSON object."""
    wanted = (body.get("text") or {}).get("format")
    if wanted is None:
        return None, False
    if not isinstance(wanted, dict):
        raise bad_type("text.format", "an object", wanted)
    kind = wanted.get("type")
    if kind == "json_schema":
        return read_schema(wanted, "text.format"), False
    if kind not in ("text", "json_object"):
        raise bad_value("text.format.type", f"Invalid value: {str(kind)[:40]!r}. Supported values "
                        "are: 'json_object', 'json_schema', and 'text'.")  # fmt: skip
    return None, kind == "json_object"
