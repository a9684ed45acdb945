"""Gemini's answers: the plain form, and the streamed one as events or as one JSON list.

Source: Gemini API reference, "GenerateContentResponse" and "streamGenerateContent".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from stackproof_gateway.encoding import Closing, event, to_bytes
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.gemini.likelihoods import likelihoods
from stackproof_gateway.gemini.thinking import signature_of
from stackproof_gateway.replies import Completion, Reply, ToolCall, pieces

_REASONS = {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS",
            "content_filter": "SAFETY"}  # fmt: skip
Part = dict[str, Any]


def as_json(completion: Completion) -> dict[str, Any]:
    """The plain form."""
    candidates = []
    for number, reply in enumerate(completion.replies):
        parts = _parts(reply, completion.prompt.reasoning)
        candidate = _candidate(number, parts, reply, ends=True)
        candidates.append({**candidate, **likelihoods(completion, parts)})
    return _response(completion, candidates, usage_of(completion))


def as_events(completion: Completion) -> Iterator[bytes]:
    """The streamed form: server-sent events."""
    for chunk, closes in _chunks(completion):
        yield Closing(_event(chunk)) if closes else _event(chunk)


def as_list(completion: Completion) -> Iterator[bytes]:
    """The streamed form where no events are asked for: the same in one JSON list."""
    front = b"["
    for chunk, closes in _chunks(completion):
        data = front + to_bytes(chunk)
        yield Closing(data) if closes else data
        front = b",\r\n"
    yield Closing(b"]") if front != b"[" else b"[]"


def _event(value: dict[str, Any]) -> bytes:
    return event(value).replace(b"\n\n", b"\r\n\r\n")


def error_event(error: ProviderError) -> bytes:
    """An error in mid-stream."""
    return _event(error.google_envelope)


def error_in_list(error: ProviderError) -> bytes:
    """An error in the middle of a list."""
    return b",\r\n" + to_bytes(error.google_envelope) + b"]"


def _chunks(completion: Completion) -> Iterator[tuple[dict[str, Any], bool]]:
    """The streamed pieces of an answer, and whether each belongs to its end."""
    begun = _prompt_usage(completion)
    for number, reply in enumerate(completion.replies):
        for part in _parts(reply, completion.prompt.reasoning):
            for piece in _pieces(part):
                candidate = _candidate(number, [piece], reply, ends=False)
                told = {**candidate, **likelihoods(completion, [piece])}
                yield _response(completion, [told], begun), False
    usage = usage_of(completion)
    for number, reply in enumerate(completion.replies):
        signed = _signature(reply) if not reply.tool_calls else {}
        last = _candidate(number, [{"text": "", **signed}], reply, ends=True)
        yield _response(completion, [last], usage), True


def _pieces(part: Part) -> list[Part]:
    if "text" not in part:
        return [part]
    kept = {name: value for name, value in part.items() if name != "thoughtSignature"}
    return [{**kept, "text": text} for text in pieces(part["text"])]


def _response(
    completion: Completion, candidates: list[dict[str, Any]], usage: dict[str, Any]
) -> dict[str, Any]:
    return {
        "candidates": candidates,
        "usageMetadata": usage,
        "modelVersion": completion.prompt.model,
        "responseId": f"resp-{completion.number:08d}",
    }


def _candidate(number: int, parts: list[Part], reply: Reply, *, ends: bool) -> dict[str, Any]:
    content: dict[str, Any] = {"parts": parts, "role": "model"} if parts else {"role": "model"}
    candidate: dict[str, Any] = {"content": content}
    if ends and reply.finish_reason is not None:
        candidate["finishReason"] = _REASONS.get(reply.finish_reason, reply.finish_reason)
    return {**candidate, "index": number}


def _parts(reply: Reply, reasoning: str) -> list[Part]:
    """What a reply says, its thoughts first; a part a function call."""
    text = reply.content if reply.refusal is None else reply.refusal
    thoughts = reply.reasoning if reasoning == "shown" else ()
    said: list[Part] = [{"text": thought.text, "thought": True} for thought in thoughts
                        if not thought.redacted]  # fmt: skip
    parts: list[Part] = [{"text": text}] if text else []
    parts += [{"functionCall": _called(call)} for call in reply.tool_calls]
    signed = 1 if text and reply.tool_calls else 0
    if parts:
        parts[signed] |= _signature(reply)
    return said + parts


def _signature(reply: Reply) -> Part:
    """The signature of a reply that was thought out."""
    return {"thoughtSignature": signature_of(reply)} if reply.reasoning else {}


def _called(call: ToolCall) -> dict[str, Any]:
    try:
        arguments = json.loads(call.arguments)
    except ValueError:
        arguments = {"malformed": call.arguments}
    return {"name": call.name, "args": arguments, "id": call.identity}


def usage_of(completion: Completion) -> dict[str, Any]:
    """How many tokens request and answer have."""
    usage = completion.usage
    thought = usage.get("reasoning_tokens", 0)
    return {
        **_prompt_usage(completion),
        "candidatesTokenCount": max(usage["completion_tokens"] - thought, 0),
        **({"thoughtsTokenCount": thought} if thought else {}),
        "totalTokenCount": usage["total_tokens"],
    }


def _prompt_usage(completion: Completion) -> dict[str, Any]:
    asked, cached = completion.usage["prompt_tokens"], completion.usage.get("cached_tokens", 0)
    told = {"cachedContentTokenCount": cached, "cacheTokensDetails": in_words(cached)}
    return {
        "promptTokenCount": asked,
        **(told if cached else {}),
        "totalTokenCount": asked,
        "promptTokensDetails": in_words(asked),
    }


def in_words(tokens: int) -> list[dict[str, Any]]:
    """Tokens by what they are of: all of them are of text."""
    return [{"modality": "TEXT", "tokenCount": tokens}]


def moment(second: int) -> str:
    """A time as the API writes it."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
