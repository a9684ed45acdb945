"""Chat requests: what the provider refuses, and what is asked for.

Source: OpenAI API reference, "Create chat completion".
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from stackproof_gateway.call import Call
from stackproof_gateway.chat_functions import check_functions, forced_function
from stackproof_gateway.chat_messages import read_messages
from stackproof_gateway.chat_parts import check_empty_stop
from stackproof_gateway.errors import ProviderError, bad_type, bad_value, missing
from stackproof_gateway.model_checks import check_chat_model
from stackproof_gateway.prompt import Prompt, Tool, count_tokens, text_of
from stackproof_gateway.prompt_schemas import may_tell_schema
from stackproof_gateway.requests import (
    BOOLEAN,
    INTEGER,
    NAME,
    OBJECT,
    OBJECTS,
    STRING,
    STRING_OR_OBJECT,
    STRING_OR_STRINGS,
    check_count,
    check_number,
    check_shapes,
    required_list,
    shapes,
    stop_words,
)
from stackproof_gateway.response_reasoning import reasoning_of
from stackproof_gateway.server_requests import constraint_of
from stackproof_gateway.strict_schemas import check_schema
from stackproof_gateway.tool_offers import KINDS, forced_tool, read_function, read_tools

MOST_CHOICES = 128
TOOL_TYPES = KINDS
MOST_TOP_LOGPROBS = 20
KNOWN_FIELDS = frozenset(
    "audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens "
    "max_tokens messages metadata modalities model moderation n parallel_tool_calls prediction "
    "presence_penalty prompt_cache_key prompt_cache_options prompt_cache_retention "
    "reasoning_effort response_format safety_identifier seed service_tier stop store stream "
    "stream_options temperature tool_choice tools top_logprobs top_p user verbosity "
    "web_search_options".split()
)

_SHAPES = shapes({
    BOOLEAN: "stream logprobs parallel_tool_calls",
    INTEGER: "seed",
    OBJECT: "stream_options response_format logit_bias metadata prompt_cache_options",
    OBJECTS: "tools functions",
    STRING: "user",
    STRING_OR_OBJECT: "tool_choice function_call",
    STRING_OR_STRINGS: "stop",
})  # fmt: skip

_RANGES = {"temperature": (0.0, 2.0), "top_p": (0.0, 1.0), "presence_penalty": (-2.0, 2.0),
           "frequency_penalty": (-2.0, 2.0)}  # fmt: skip
_NUMBERS = frozenset({*_RANGES, "top_logprobs", "n", "max_tokens", "max_completion_tokens"})


def read_chat(call: Call, body: dict[str, Any]) -> Prompt:
    """What a chat request asks for.

    Raises:
        ProviderError: If the request is one that the provider refuses.
    """
    lenient = call.server.tolerates
    messages = read_messages(body, whole="tool_history" not in lenient)
    _check_numbers(body)
    check_shapes(body, _SHAPES)
    if body.get("tools") is not None:
        required_list(body, "tools")
    check_functions(body)
    functions = _functions(body)
    tools = read_tools(body, TOOL_TYPES, nested=True, checked="schemas" not in lenient)
    schema, wants_json = _form(body, messages, lenient)
    bound = constraint_of(body, call.server)
    options = body.get("stream_options") or {}
    if options and not body.get("stream"):
        raise ProviderError(400, "The 'stream_options' parameter is only allowed when 'stream' is "
                            "enabled.", param="stream_options")  # fmt: skip
    texts = [text_of(message.get("content")) for message in messages]
    check_empty_stop(body, messages)
    tokens = sum(map(count_tokens, texts))
    rules = call.rules
    check_chat_model(body, rules, tokens)
    asked = [
        text for text, message in zip(texts, messages, strict=True) if message["role"] == "user"
    ]
    return Prompt(
        model=call.entry.model,
        path=call.entry.path,
        asked=asked[-1] if asked else "",
        tokens=tokens,
        tools=functions or tools,
        forced=forced_function(body.get("function_call"), functions) or _forced(body, tools),
        schema=bound.schema if bound else schema,
        may_tell_schema=may_tell_schema(call.data),
        unquoted=bound is not None and not bound.quoted,
        wants_json=wants_json,
        stop=stop_words(body),
        bound=body.get("max_completion_tokens") or body.get("max_tokens"),
        choices=body.get("n") or 1,
        stream=bool(body.get("stream")),
        include_usage=options.get("include_usage") is True,
        reasoning=reasoning_of(body.get("reasoning_effort"), rules),
        body=body,
    )


def _check_numbers(body: dict[str, Any]) -> None:
    if _NUMBERS.isdisjoint(body):
        return
    for name, (lowest, highest) in _RANGES.items():
        check_number(body, name, lowest, highest)
    top = check_count(body, "top_logprobs", MOST_TOP_LOGPROBS, lowest=0)
    if top is not None and not body.get("logprobs"):
        raise ProviderError(400, "The 'top_logprobs' parameter is only allowed when 'logprobs' is "
                            "enabled.", param="top_logprobs")  # fmt: skip
    check_count(body, "n", MOST_CHOICES)
    bounds = [check_count(body, name) for name in ("max_tokens", "max_completion_tokens")]
    if None not in bounds:
        raise ProviderError(
            400,
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            code="invalid_parameter_combination",
        )


def _functions(body: dict[str, Any]) -> tuple[Tool, ...]:
    """The functions of the legacy form."""
    if body.get("functions") is None:
        return ()
    found = []
    for number, function in enumerate(required_list(body, "functions")):
        if not isinstance(function, dict):
            raise bad_type(f"functions[{number}]", "an object", function)
        found.append(read_function(function, f"functions[{number}]"))
    return tuple(found)


def _forced(body: dict[str, Any], tools: tuple[Tool, ...]) -> Tool | None:
    """The function that must be called; None where the model may choose, and chooses none."""
    choice = body.get("tool_choice")
    if choice is not None and not body.get("tools"):
        raise ProviderError(400, "'tool_choice' is only allowed when 'tools' are specified.",
                            param="tool_choice")  # fmt: skip
    return forced_tool(body, tools, TOOL_TYPES, nested=True)


def _form(
    body: dict[str, Any], messages: list[dict[str, Any]], lenient: Collection[str]
) -> tuple[Any, bool]:
    """The schema that the answer must fit, and whether it must be a JSON object."""
    wanted = body.get("response_format")
    if wanted is None or wanted.get("type") == "text":
        return None, False
    if wanted.get("type") == "json_object":
        if "json_word" not in lenient and not any(
            "json" in text_of(message.get("content")).lower() for message in messages
        ):
            raise ProviderError(
                400,
                "'messages' must contain the word 'json' in some form, to use 'response_format' of "
                "type 'json_object'.",
                param="messages",
            )
        return None, True
    if wanted.get("type") != "json_schema":
        raise bad_value(
            "response_format.type",
            f"Invalid value: {str(wanted.get('type'))[:40]!r}. Supported values are: "
            "'json_object', 'json_schema', and 'text'.",
        )
    return read_schema(wanted.get("json_schema"), "response_format.json_schema", lenient), False


def read_schema(given: Any, param: str, lenient: Collection[str] = ()) -> Any:
    """The schema of structured output.

    Args:
        given: `{name, schema, strict}`.
        param: Where it stands in the request.
        lenient: Checks that are not made.

    Raises:
        ProviderError: If it has no name, or is strict and not as the provider wants it.
    """
    if not isinstance(given, dict):
        raise missing(param)
    name = given.get("name")
    if "schema_name" not in lenient and not (isinstance(name, str) and NAME.fullmatch(name)):
        raise missing(f"{param}.name")
    schema = given.get("schema")
    if schema is not None and not isinstance(schema, dict):
        raise bad_type(f"{param}.schema", "an object", schema)
    if given.get("strict") is True and "schemas" not in lenient:
        check_schema(schema or {}, param, f"response_format '{name}'")
    return schema or {}
