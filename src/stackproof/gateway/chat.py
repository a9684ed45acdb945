"""Chat completions: the reply, and its plain and streamed forms.

The reply is `echo: ` and the last user text; where that text holds `Reply with exactly: TEXT`, it
is TEXT. Tokens are counted as words. Source of the forms: OpenAI API reference, "The chat
completion object" and "The chat completion chunk object".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stackproof.gateway.namespaces import FIRST_SECOND
from stackproof.gateway.requests import check_chat, model_of
from stackproof.gateway.schema_answers import value_for

_EXACTLY = re.compile(r"Reply with exactly:[ \t]*([^\n]*)")
_PIECE = re.compile(r"\s*\S+\s*$|\s*\S+")


@dataclass(frozen=True)
class Reply:
    """What one choice of a completion says.

    Attributes:
        content: The text; None beside a tool call.
        tool_calls: Tool calls.
        finish_reason: Why it ends.
    """

    content: str | None
    tool_calls: tuple[dict[str, Any], ...] = ()
    finish_reason: str = "stop"


@dataclass(frozen=True)
class Completion:
    """A whole answer, before it has a form.

    Attributes:
        identity: `id` of the answer.
        created: Seconds of the namespace's clock.
        model: Name of the model.
        replies: One a choice.
        usage: Tokens.
    """

    identity: str
    created: int
    model: str
    replies: tuple[Reply, ...]
    usage: dict[str, int]

    @property
    def summary(self) -> str:
        """The answer in a few words."""
        first = self.replies[0]
        if first.tool_calls:
            return f"tool call {first.tool_calls[0]['function']['name']}"
        return (first.content or "")[:200]


def complete(body: dict[str, Any], number: int) -> Completion:
    """The answer to a request.

    Args:
        body: The request.
        number: Number of the call in its namespace; ids and times come from it.

    Raises:
        ProviderError: If the request is one that the provider refuses.
    """
    messages = check_chat(body)
    reply = _reply(body, messages, number)
    replies = (reply,) * (body.get("n") or 1)
    asked = sum(_tokens(_text(message.get("content"))) for message in messages)
    answered = sum(_tokens(one.content or json.dumps(one.tool_calls)) for one in replies)
    usage = {
        "prompt_tokens": asked,
        "completion_tokens": answered,
        "total_tokens": asked + answered,
    }
    identity = f"chatcmpl-{number:08d}"
    return Completion(identity, FIRST_SECOND + number, model_of(body), replies, usage)


def _text(content: Any) -> str:
    """The text of a message, whose content may be a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))


def _tokens(text: str) -> int:
    return max(len(text.split()), 1)


def _reply(body: dict[str, Any], messages: list[dict[str, Any]], number: int) -> Reply:
    tool = _forced_tool(body)
    if tool is not None:
        return Reply(None, (_tool_call(tool, number),), "tool_calls")
    asked = [_text(one.get("content")) for one in messages if one["role"] == "user"]
    return _cut(_content(body, asked[-1] if asked else ""), body)


def _content(body: dict[str, Any], asked: str) -> str:
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        given = wanted.get("json_schema")
        schema = given.get("schema") if isinstance(given, dict) else None
        return json.dumps(value_for(schema or {}))
    exactly = _EXACTLY.search(asked)
    content = exactly[1].strip() if exactly else f"echo: {asked}"
    return json.dumps({"answer": content}) if wanted.get("type") == "json_object" else content


def _forced_tool(body: dict[str, Any]) -> dict[str, Any] | None:
    """The function that must be called; None where the model may choose, and chooses none."""
    choice = body.get("tool_choice")
    functions = [
        tool["function"] for tool in body.get("tools") or [] if tool.get("function") is not None
    ]
    if isinstance(choice, dict):
        named = choice.get("function")
        name = named.get("name") if isinstance(named, dict) else None
        return next((one for one in functions if one.get("name") == name), None)
    return functions[0] if choice == "required" and functions else None


def _tool_call(function: dict[str, Any], number: int) -> dict[str, Any]:
    arguments = json.dumps(value_for(function.get("parameters") or {"type": "object"}))
    called = {"name": str(function.get("name", "")), "arguments": arguments}
    return {"id": f"call_{number:08d}", "type": "function", "function": called}


def _cut(content: str, body: dict[str, Any]) -> Reply:
    stop = body.get("stop")
    for word in [stop] if isinstance(stop, str) else stop or []:
        if isinstance(word, str) and word and word in content:
            content = content[: content.index(word)]
    bound = body.get("max_completion_tokens") or body.get("max_tokens")
    pieces = _PIECE.findall(content)
    if bound is not None and len(pieces) > bound:
        return Reply("".join(pieces[:bound]).rstrip(), (), "length")
    return Reply(content)


def as_json(completion: Completion) -> dict[str, Any]:
    """The plain form."""
    return {
        "id": completion.identity,
        "object": "chat.completion",
        "created": completion.created,
        "model": completion.model,
        "choices": [
            {
                "index": index,
                "message": _message(reply),
                "logprobs": None,
                "finish_reason": reply.finish_reason,
            }
            for index, reply in enumerate(completion.replies)
        ],
        "usage": completion.usage,
        "system_fingerprint": "fp_stackproof",
    }


def _message(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.content, "refusal": None}
    if reply.tool_calls:
        message["tool_calls"] = list(reply.tool_calls)
    return message


def as_events(completion: Completion, *, include_usage: bool) -> Iterator[bytes]:
    """The streamed form: server-sent events, the last one `[DONE]`."""
    base: dict[str, Any] = {
        "id": completion.identity,
        "object": "chat.completion.chunk",
        "created": completion.created,
        "model": completion.model,
        "system_fingerprint": "fp_stackproof",
    }
    extra: dict[str, Any] = {"usage": None} if include_usage else {}
    for index, reply in enumerate(completion.replies):
        for delta, reason in _deltas(reply):
            choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}
            yield _event({**base, "choices": [choice], **extra})
    if include_usage:
        yield _event({**base, "choices": [], "usage": completion.usage})
    yield b"data: [DONE]\n\n"


def _deltas(reply: Reply) -> Iterator[tuple[dict[str, Any], str | None]]:
    if reply.tool_calls:
        for at, call in enumerate(reply.tool_calls):
            function = {"name": call["function"]["name"], "arguments": ""}
            yield {"role": "assistant", "content": None,
                   "tool_calls": [{**call, "index": at, "function": function}]}, None  # fmt: skip
            arguments = {"arguments": call["function"]["arguments"]}
            yield {"tool_calls": [{"index": at, "function": arguments}]}, None
    else:
        yield {"role": "assistant", "content": ""}, None
        for piece in _PIECE.findall(reply.content or ""):
            yield {"content": piece}, None
    yield {}, reply.finish_reason


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"
