"""Chat completions: the plain and the streamed form of an answer.

Source: OpenAI API reference, "The chat completion object" and "The chat completion chunk object".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from stackproof_gateway.built_in_items import placed
from stackproof_gateway.chat_functions import as_function_call
from stackproof_gateway.encoding import Closing, event
from stackproof_gateway.logprobs import logprobs_of
from stackproof_gateway.replies import Completion, Reply, ToolCall, pieces
from stackproof_gateway.usage import chat_usage

GIVEN = {"function": "arguments", "custom": "input"}
"""What holds that which a tool gets, by its kind."""
FINGERPRINT = "fp_stackproof"


def as_json(completion: Completion) -> dict[str, Any]:
    """The plain form."""
    return {
        **completion.head("chatcmpl-", "chat.completion"),
        "choices": [
            {
                "index": index,
                "message": _message(completion, reply),
                "logprobs": _logprobs(completion, content=reply.content, refusal=reply.refusal),
                "finish_reason": _reason(completion, reply),
            }
            for index, reply in enumerate(completion.replies)
        ],
        "usage": chat_usage(completion.usage),
        "system_fingerprint": FINGERPRINT,
    }


def _logprobs(
    completion: Completion, *, content: str | None = None, refusal: str | None = None
) -> dict[str, Any] | None:
    """Log probabilities of a text or a refusal; None where they are not asked for."""
    body = completion.prompt.body
    if not body.get("logprobs") or (content is None and refusal is None):
        return None
    said = {"content": content, "refusal": refusal}
    top = body.get("top_logprobs") or 0
    return {
        name: None if text is None else logprobs_of(pieces(text), top)
        for name, text in said.items()
    }


def _is_legacy(completion: Completion) -> bool:
    """Whether functions were offered in the legacy form, so that calls are told in it as well."""
    return bool(completion.prompt.body.get("functions"))


def _reason(completion: Completion, reply: Reply) -> str | None:
    if reply.finish_reason == "tool_calls" and _is_legacy(completion):
        return "function_call"
    return reply.finish_reason


def _message(completion: Completion, reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": reply.content,
        "refusal": reply.refusal,
    }
    if reply.annotations:
        cited = [placed(one, reply.content or "") for one in reply.annotations]
        message["annotations"] = [_citation(one) for one in cited if one["type"] == "url_citation"]
    if reply.tool_calls:
        message["tool_calls"] = [_call(call) for call in reply.tool_calls]
        if _is_legacy(completion):
            return as_function_call(message)
    return message


def _citation(annotation: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in annotation.items() if name != "type"}
    return {"type": "url_citation", "url_citation": rest}


def _call(call: ToolCall) -> dict[str, Any]:
    given = {"name": call.name, GIVEN[call.kind]: call.arguments}
    return {"id": call.identity, "type": call.kind, call.kind: given}


def as_events(completion: Completion) -> Iterator[bytes]:
    """The streamed form: server-sent events, the last one `[DONE]`."""
    include_usage = completion.prompt.include_usage
    base: dict[str, Any] = {
        **completion.head("chatcmpl-", "chat.completion.chunk"),
        "system_fingerprint": FINGERPRINT,
    }
    extra: dict[str, Any] = {"usage": None} if include_usage else {}

    def chunk(index: int, delta: dict[str, Any], reason: str | None = None) -> bytes:
        said = {name: delta[name] for name in ("content", "refusal") if delta.get(name)}
        logprobs = _logprobs(completion, **said)
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        return event({**base, "choices": [choice], **extra})

    for index, reply in enumerate(completion.replies):
        for delta in _deltas(reply, legacy=_is_legacy(completion)):
            yield chunk(index, delta)
    for index, reply in enumerate(completion.replies):
        yield Closing(chunk(index, {}, _reason(completion, reply)))
    if include_usage:
        yield Closing(event({**base, "choices": [], "usage": chat_usage(completion.usage)}))
    yield Closing(b"data: [DONE]\n\n")


def _deltas(reply: Reply, *, legacy: bool) -> Iterator[dict[str, Any]]:
    first: dict[str, Any] = {"role": "assistant", "content": None if reply.tool_calls else ""}
    if reply.content is not None or not reply.tool_calls:
        yield {"role": "assistant", "content": ""}
        for piece in pieces(reply.content or ""):
            yield {"content": piece}
        first = {}
    if reply.refusal:
        yield {"refusal": reply.refusal}
    if legacy:
        for call in reply.tool_calls[:1]:
            yield {**first, "function_call": {"name": call.name, "arguments": ""}}
            yield {"function_call": {"arguments": call.arguments}}
        return
    for at, call in enumerate(reply.tool_calls):
        opening = {**_call(replace(call, arguments="")), "index": at}
        yield {**(first if at == 0 else {}), "tool_calls": [opening]}
        given = {GIVEN[call.kind]: call.arguments}
        yield {"tool_calls": [{"index": at, call.kind: given}]}
