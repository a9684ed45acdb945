"""Chat requests: what the provider refuses, and what is asked for.

Source: OpenAI API reference, "Create chat completion".
"""

from __future__ import annotations

import re
from typing import Any

from stackproof.gateway.errors import ProviderError, bad_type, bad_value, missing
from stackproof.gateway.prompt import Prompt, Tool, count_tokens, text_of
from stackproof.gateway.requests import (
    Shapes,
    check_count,
    check_number,
    check_shapes,
    model_of,
    required_list,
    stop_words,
)
from stackproof.gateway.strict_schemas import check_schema

MOST_CHOICES = 128
MOST_TOP_LOGPROBS = 20
ROLES = ("assistant", "developer", "function", "system", "tool", "user")
KNOWN_FIELDS = frozenset(
    "audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens "
    "max_tokens messages metadata modalities model n parallel_tool_calls prediction "
    "presence_penalty prompt_cache_key prompt_cache_retention reasoning_effort response_format "
    "safety_identifier seed service_tier stop store stream stream_options temperature tool_choice "
    "tools top_logprobs top_p user verbosity web_search_options".split()
)

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_SHAPES: Shapes = {
    "stream": (bool, "a boolean"),
    "stream_options": (dict, "an object"),
    "stop": ((str, list), "a string or an array of strings"),
    "tools": (list, "an array of objects"),
    "tool_choice": ((str, dict), "a string or an object"),
    "response_format": (dict, "an object"),
    "logprobs": (bool, "a boolean"),
    "logit_bias": (dict, "an object"),
    "metadata": (dict, "an object"),
    "seed": (int, "an integer"),
    "user": (str, "a string"),
    "parallel_tool_calls": (bool, "a boolean"),
}

_RANGES = {"temperature": (0.0, 2.0), "top_p": (0.0, 1.0), "presence_penalty": (-2.0, 2.0),
           "frequency_penalty": (-2.0, 2.0)}  # fmt: skip
_NUMBERS = frozenset({*_RANGES, "top_logprobs", "n", "max_tokens", "max_completion_tokens"})


def read_chat(body: dict[str, Any], path: str) -> Prompt:
    """What a chat request asks for.

    Args:
        body: The request.
        path: Path of the endpoint.

    Raises:
        ProviderError: If the request is one that the provider refuses.
    """
    model = model_of(body)
    messages = _messages(body)
    _check_numbers(body)
    check_shapes(body, _SHAPES)
    tools = _tools(body)
    schema, wants_json = _form(body, messages)
    options = body.get("stream_options") or {}
    if options and not body.get("stream"):
        raise ProviderError(400, "The 'stream_options' parameter is only allowed when 'stream' is "
                            "enabled.", param="stream_options")  # fmt: skip
    texts = [text_of(one.get("content")) for one in messages]
    asked = [text for text, one in zip(texts, messages, strict=True) if one["role"] == "user"]
    return Prompt(
        model=model,
        path=path,
        asked=asked[-1] if asked else "",
        last=texts[-1],
        tool_results=tuple(_tool_results(messages)),
        tokens=sum(map(count_tokens, texts)),
        tools=tools,
        forced=_forced(body, tools),
        schema=schema,
        wants_json=wants_json,
        stop=stop_words(body),
        bound=body.get("max_completion_tokens") or body.get("max_tokens"),
        choices=body.get("n") or 1,
        stream=bool(body.get("stream")),
        include_usage=options.get("include_usage") is True,
        body=body,
    )


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    messages = required_list(body, "messages")
    called = False
    for number, message in enumerate(messages):
        param = f"messages[{number}]"
        _check_message(message, param)
        if message["role"] == "tool" and not called:
            raise bad_value(f"{param}.role", "Invalid parameter: messages with role 'tool' must be "
                            "a response to a preceding message with 'tool_calls'.")  # fmt: skip
        called = message["role"] == "tool" or bool(message.get("tool_calls"))
    return messages


def _check_message(message: Any, param: str) -> None:
    if not isinstance(message, dict):
        raise bad_type(param, "an object", message)
    role = message.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise bad_value(f"{param}.role", f"Invalid value: {str(role)[:40]!r}. Supported values "
                        f"are: {', '.join(ROLES)}.")  # fmt: skip
    content = message.get("content")
    if content is not None or role != "assistant":
        check_content(content, f"{param}.content")
    calls = message.get("tool_calls")
    if calls is not None and not isinstance(calls, list):
        raise bad_type(f"{param}.tool_calls", "an array of objects", calls)
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        raise missing(f"{param}.tool_call_id")


def check_content(content: Any, param: str) -> None:
    """Refuse content that is neither text nor a list of parts.

    Raises:
        ProviderError: If it is.
    """
    if not isinstance(content, str | list):
        raise bad_type(param, "a string or an array of objects", content)
    for number, part in enumerate(content if isinstance(content, list) else ()):
        if not isinstance(part, dict):
            raise bad_type(f"{param}[{number}]", "an object", part)


def _check_numbers(body: dict[str, Any]) -> None:
    if _NUMBERS.isdisjoint(body):
        return
    for name, (lowest, highest) in _RANGES.items():
        check_number(body, name, lowest, highest)
    check_count(body, "top_logprobs", MOST_TOP_LOGPROBS, lowest=0)
    check_count(body, "n", MOST_CHOICES)
    bounds = [check_count(body, name) for name in ("max_tokens", "max_completion_tokens")]
    if None not in bounds:
        raise ProviderError(
            400,
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            code="invalid_parameter_combination",
        )


def _tools(body: dict[str, Any]) -> tuple[Tool, ...]:
    found = []
    for number, tool in enumerate(body.get("tools") or []):
        param = f"tools[{number}]"
        if not isinstance(tool, dict):
            raise bad_type(param, "an object", tool)
        function = tool.get("function")
        if tool.get("type") != "function":
            if isinstance(tool.get("type"), str):
                continue  # tools of the provider's own
            raise missing(f"{param}.type")
        if not isinstance(function, dict):
            raise missing(f"{param}.function")
        found.append(
            read_tool(function, f"{param}.function", strict=function.get("strict") is True)
        )
    return tuple(found)


def read_tool(function: dict[str, Any], param: str, *, strict: bool = False) -> Tool:
    """A function that is offered.

    Raises:
        ProviderError: If it has no proper name, or parameters that are no schema.
    """
    name = function.get("name")
    if not isinstance(name, str):
        raise missing(f"{param}.name")
    if not _NAME.fullmatch(name):
        raise ProviderError(400, f"Invalid '{param}.name': string does not match pattern. Expected "
                            "a string that matches the pattern '^[a-zA-Z0-9_-]+$'.",
                            param=f"{param}.name", code="invalid_value")  # fmt: skip
    parameters = function.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise bad_type(f"{param}.parameters", "an object", parameters)
    if strict and parameters is not None:
        check_schema(parameters, f"{param}.parameters", f"function '{name}'")
    return Tool(name, parameters)


def _forced(body: dict[str, Any], tools: tuple[Tool, ...]) -> Tool | None:
    """The function that must be called; None where the model may choose, and chooses none."""
    choice = body.get("tool_choice")
    if choice is not None and not body.get("tools"):
        raise ProviderError(400, "'tool_choice' is only allowed when 'tools' are specified.",
                            param="tool_choice")  # fmt: skip
    if isinstance(choice, dict):
        named = choice.get("function")
        if named is None:
            return None
        return tool_named(named.get("name") if isinstance(named, dict) else None, tools)
    if choice not in {None, "none", "auto", "required"}:
        raise bad_value("tool_choice", f"Invalid value: {str(choice)[:40]!r}. Supported values "
                        "are: 'none', 'auto', and 'required'.")  # fmt: skip
    return tools[0] if choice == "required" and tools else None


def tool_named(name: Any, tools: tuple[Tool, ...]) -> Tool:
    """The tool of a name.

    Raises:
        ProviderError: If there is none.
    """
    found = next((one for one in tools if one.name == name), None)
    if found is None:
        raise ProviderError(400, f"Tool choice {str(name)[:64]!r} not found in 'tools' parameter.",
                            param="tool_choice")  # fmt: skip
    return found


def _form(body: dict[str, Any], messages: list[dict[str, Any]]) -> tuple[Any, bool]:
    """The schema that the answer must fit, and whether it must be a JSON object."""
    wanted = body.get("response_format")
    if wanted is None or wanted.get("type") == "text":
        return None, False
    if wanted.get("type") == "json_object":
        if not any("json" in text_of(one.get("content")).lower() for one in messages):
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
    return read_schema(wanted.get("json_schema"), "response_format.json_schema"), False


def read_schema(given: Any, param: str) -> Any:
    """The schema of structured output.

    Args:
        given: `{name, schema, strict}`.
        param: Where it stands in the request.

    Raises:
        ProviderError: If it has no name, or is strict and not as the provider wants it.
    """
    if not isinstance(given, dict):
        raise missing(param)
    name = given.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise missing(f"{param}.name")
    schema = given.get("schema")
    if schema is not None and not isinstance(schema, dict):
        raise bad_type(f"{param}.schema", "an object", schema)
    if given.get("strict") is True:
        check_schema(schema or {}, param, f"response_format '{name}'")
    return schema or {}


def _tool_results(messages: list[dict[str, Any]]) -> list[str]:
    found = []
    for message in reversed(messages):
        if message["role"] == "assistant":
            break
        if message["role"] in {"tool", "function"}:
            found.append(text_of(message.get("content")))
    return found[::-1]
