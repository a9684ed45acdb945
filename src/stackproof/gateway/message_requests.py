"""Anthropic's Messages: what the provider refuses, and what is asked for.

Source: Anthropic API reference, "Create a Message" and "Count tokens in a Message".
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from stackproof.gateway.call import Call
from stackproof.gateway.errors import ProviderError
from stackproof.gateway.listing import json_response
from stackproof.gateway.prompt import Prompt, Tool, count_tokens, text_of
from stackproof.gateway.requests import LARGEST_COUNT

KNOWN_FIELDS = frozenset(
    "betas cache_control container context_management inference_geo max_tokens mcp_servers "
    "messages metadata model output_config output_format service_tier speed stop_sequences stream "
    "system temperature thinking tool_choice tools top_k top_p".split()
)


def refused(param: str, problem: str) -> ProviderError:
    """A request that is not what it should be, as Anthropic says it."""
    return ProviderError(400, f"{param}: {problem}", param=param)


def read_message(body: dict[str, Any], path: str, *, counted: bool = False) -> Prompt:
    """What a request for a message asks for.

    Args:
        body: The request.
        path: Path of the endpoint.
        counted: Whether only its tokens are asked for, so that it needs no bound.

    Raises:
        ProviderError: If the request is one that the provider refuses.
    """
    messages = _messages(body)
    bound = None if counted else _bound(body)
    _check_fields(body)
    tools = _tools(body)
    texts = [text_of(body.get("system")), *(_text(one) for one in messages)]
    asked = [text_of(one["content"]) for one in messages if one["role"] == "user"]
    last = messages[-1]
    results = [
        text_of(block.get("content"))
        for block in _blocks(last)
        if block.get("type") == "tool_result"
    ]
    return Prompt(
        model=body["model"],
        path=path,
        asked=next((one for one in reversed(asked) if one), ""),
        last=text_of(last["content"]) or "\n".join(results),
        tool_results=tuple(results),
        tokens=sum(count_tokens(one) for one in texts if one),
        tools=tools,
        forced=_forced(body, tools),
        schema=_schema(body),
        stop=tuple(body.get("stop_sequences") or ()),
        bound=bound,
        stream=bool(body.get("stream")),
        body=body,
    )


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    messages = body.get("messages")
    if messages is None:
        raise refused("messages", "Field required")
    if not isinstance(messages, list):
        raise refused("messages", "Input should be a valid list")
    if not messages:
        raise refused("messages", "at least one message is required")
    called: set[str] = set()
    for number, message in enumerate(messages):
        _check_message(message, f"messages.{number}", called)
        called = {str(one.get("id")) for one in _blocks(message) if one.get("type") == "tool_use"}
    return messages


def _check_message(message: Any, param: str, called: set[str]) -> None:
    if not isinstance(message, dict):
        raise refused(param, "Input should be an object")
    if message.get("role") not in ("user", "assistant"):
        raise refused(f"{param}.role", "Input should be 'user' or 'assistant'")
    content = message.get("content")
    if not isinstance(content, str | list):
        raise refused(f"{param}.content", "Input should be a valid string or list")
    for number, block in enumerate(content if isinstance(content, list) else ()):
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise refused(f"{param}.content.{number}.type", "Field required")
        if block["type"] == "tool_result" and str(block.get("tool_use_id")) not in called:
            raise refused(
                f"{param}.content.{number}",
                "unexpected `tool_use_id` found in `tool_result` blocks. Each `tool_result` block "
                "must have a corresponding `tool_use` block in the previous message.",
            )


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return content if isinstance(content, list) else []


def _text(message: dict[str, Any]) -> str:
    results = [text_of(one.get("content")) for one in _blocks(message)]
    return " ".join([text_of(message["content"]), *results])


def _bound(body: dict[str, Any]) -> int:
    bound = body.get("max_tokens")
    if bound is None:
        raise refused("max_tokens", "Field required")
    if isinstance(bound, bool) or not isinstance(bound, int):
        raise refused("max_tokens", "Input should be a valid integer")
    if not 1 <= bound <= LARGEST_COUNT:
        raise refused("max_tokens", "Input should be greater than or equal to 1")
    return bound


def _check_fields(body: dict[str, Any]) -> None:
    for name, highest in (("temperature", 1), ("top_p", 1)):
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise refused(name, "Input should be a valid number")
        if not 0 <= value <= highest:
            raise refused(name, f"Input should be between 0 and {highest}")
    kinds: dict[str, type | tuple[type, ...]] = {
        "stream": bool, "stop_sequences": list, "tools": list, "tool_choice": dict,
        "system": (str, list), "metadata": dict, "thinking": dict, "output_config": dict,
        "output_format": dict,
    }  # fmt: skip
    for name, kind in kinds.items():
        value = body.get(name)
        if value is not None and not isinstance(value, kind):
            raise refused(name, "Input should be of another type")
    if not all(isinstance(word, str) for word in body.get("stop_sequences") or ()):
        raise refused("stop_sequences", "Input should be a list of strings")


def _tools(body: dict[str, Any]) -> tuple[Tool, ...]:
    found = []
    for number, tool in enumerate(body.get("tools") or []):
        if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
            raise refused(f"tools.{number}.name", "Field required")
        if tool.get("type", "custom") != "custom":
            continue  # tools of the provider's own
        if not isinstance(tool.get("input_schema"), dict):
            raise refused(f"tools.{number}.input_schema", "Field required")
        found.append(Tool(tool["name"], tool["input_schema"]))
    return tuple(found)


def _forced(body: dict[str, Any], tools: tuple[Tool, ...]) -> Tool | None:
    choice = body.get("tool_choice") or {"type": "auto"}
    kind = choice.get("type")
    if kind not in ("auto", "any", "tool", "none"):
        raise refused("tool_choice.type", "Input should be 'auto', 'any', 'tool' or 'none'")
    if kind == "any":
        return tools[0] if tools else None
    if kind != "tool":
        return None
    named = next((one for one in tools if one.name == choice.get("name")), None)
    if named is None:
        raise refused("tool_choice", f"Tool '{str(choice.get('name'))[:64]}' not found in provided "
                      "tools")  # fmt: skip
    return named


def _schema(body: dict[str, Any]) -> Any:
    """The schema of structured output, in its newer and older place."""
    wanted = (body.get("output_config") or {}).get("format") or body.get("output_format")
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        return None
    schema = wanted.get("schema")
    if not isinstance(schema, dict):
        raise refused("output_config.format.schema", "Field required")
    return schema


async def count_message_tokens(call: Call) -> Response:
    """How many tokens a request for a message has."""
    body = call.body(KNOWN_FIELDS)
    prompt = read_message(body, call.entry.path, counted=True)
    await call.fail_on_purpose()
    call.entry.usage = {"prompt_tokens": prompt.tokens, "total_tokens": prompt.tokens}
    return json_response({"input_tokens": prompt.tokens})
