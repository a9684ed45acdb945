"""Requests to the Responses API: what the provider refuses, and what is asked for.

Source: OpenAI API reference, "Create a model response".
"""

from __future__ import annotations

from typing import Any

from stackproof.gateway.call import Call
from stackproof.gateway.chat_requests import read_schema, read_tool, tool_named
from stackproof.gateway.errors import ProviderError, bad_type, bad_value, missing
from stackproof.gateway.prompt import Prompt, Tool, count_tokens, text_of
from stackproof.gateway.requests import (
    Shapes,
    check_count,
    check_number,
    check_shapes,
    model_of,
)

LEAST_OUTPUT_TOKENS = 16
ROLES = ("assistant", "developer", "system", "user")
KNOWN_FIELDS = frozenset(
    "background context_management conversation include input instructions max_output_tokens "
    "max_tool_calls metadata model parallel_tool_calls previous_response_id prompt "
    "prompt_cache_key prompt_cache_retention reasoning safety_identifier service_tier store "
    "stream stream_options temperature text tool_choice tools top_logprobs top_p truncation "
    "user".split()
)
_SHAPES: Shapes = {
    "stream": (bool, "a boolean"),
    "store": (bool, "a boolean"),
    "instructions": ((str, list), "a string"),
    "text": (dict, "an object"),
    "tools": (list, "an array of objects"),
    "tool_choice": ((str, dict), "a string or an object"),
    "metadata": (dict, "an object"),
    "reasoning": (dict, "an object"),
    "include": (list, "an array"),
    "previous_response_id": (str, "a string"),
    "parallel_tool_calls": (bool, "a boolean"),
}


def read_response(call: Call, body: dict[str, Any]) -> Prompt:
    """What a request for a response asks for.

    Raises:
        ProviderError: If the request is one that the provider refuses.
    """
    model = model_of(body)
    check_number(body, "temperature", 0.0, 2.0)
    check_number(body, "top_p", 0.0, 1.0)
    check_shapes(body, _SHAPES)
    items = input_items(body)
    before = _earlier(call, body.get("previous_response_id"))
    tools = _tools(body)
    schema, wants_json = _form(body)
    asked = [_text(one) for one in items if one.get("role") == "user"]
    texts = [text_of(body.get("instructions")), *(_text(one) for one in [*before, *items])]
    return Prompt(
        model=model,
        path=call.entry.path,
        asked=asked[-1] if asked else "",
        last=_text(items[-1]),
        tool_results=tuple(
            _text(one) for one in items if one.get("type") == "function_call_output"
        ),
        tokens=sum(count_tokens(one) for one in texts if one),
        tools=tools,
        forced=_forced(body, tools),
        schema=schema,
        wants_json=wants_json,
        bound=check_count(body, "max_output_tokens", lowest=LEAST_OUTPUT_TOKENS),
        stream=bool(body.get("stream")),
        body=body,
    )


def input_items(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The input as items.

    Raises:
        ProviderError: If it is missing, or has items of an unknown form.
    """
    given = body.get("input")
    if given is None or given == []:
        raise missing("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    if not isinstance(given, list):
        raise bad_type("input", "a string or an array of objects", given)
    for number, item in enumerate(given):
        _check_item(item, f"input[{number}]")
    return given


def _check_item(item: Any, param: str) -> None:
    if not isinstance(item, dict):
        raise bad_type(param, "an object", item)
    kind = item.get("type", "message")
    if kind == "message":
        role = item.get("role")
        if not isinstance(role, str) or role not in ROLES:
            raise bad_value(f"{param}.role", f"Invalid value: {str(role)[:40]!r}. Supported values "
                            f"are: {', '.join(ROLES)}.")  # fmt: skip
        if not isinstance(item.get("content"), str | list):
            raise bad_type(f"{param}.content", "a string or an array of objects",
                           item.get("content"))  # fmt: skip
    elif not isinstance(kind, str):
        raise bad_type(f"{param}.type", "a string", kind)
    elif kind == "function_call_output" and not isinstance(item.get("call_id"), str):
        raise missing(f"{param}.call_id")


def _text(item: dict[str, Any]) -> str:
    if item.get("type") == "function_call_output":
        return text_of(item.get("output"))
    return text_of(item.get("content"))


def _earlier(call: Call, identity: str | None) -> list[dict[str, Any]]:
    """The items of the responses that this one follows, oldest first."""
    found: list[dict[str, Any]] = []
    while identity:
        stored = call.namespace.shelf.responses.get(identity)
        if stored is None:
            raise ProviderError(400, f"Previous response with id '{identity}' not found.",
                                param="previous_response_id",
                                code="previous_response_not_found")  # fmt: skip
        found = [*stored["input"], *stored["response"]["output"], *found]
        identity = stored["response"]["previous_response_id"]
    return found


def _tools(body: dict[str, Any]) -> tuple[Tool, ...]:
    found = []
    for number, tool in enumerate(body.get("tools") or []):
        param = f"tools[{number}]"
        if not isinstance(tool, dict):
            raise bad_type(param, "an object", tool)
        if not isinstance(tool.get("type"), str):
            raise missing(f"{param}.type")
        if tool["type"] == "function":
            found.append(read_tool(tool, param, strict=tool.get("strict") is True))
    return tuple(found)


def _forced(body: dict[str, Any], tools: tuple[Tool, ...]) -> Tool | None:
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        return tool_named(choice.get("name"), tools) if choice.get("type") == "function" else None
    if choice not in {None, "none", "auto", "required"}:
        raise bad_value("tool_choice", f"Invalid value: {str(choice)[:40]!r}. Supported values "
                        "are: 'none', 'auto', and 'required'.")  # fmt: skip
    return tools[0] if choice == "required" and tools else None


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
