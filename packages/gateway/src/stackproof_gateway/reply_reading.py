"""What a script answers, as people write it: read strictly."""

from __future__ import annotations

import json
from dataclasses import replace

from stackproof_gateway.built_in_items import read_annotations, read_items
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.faults import UNITS
from stackproof_gateway.replies import BuiltInUse, Reply, Thought, ToolCall, json_reply
from stackproof_gateway.scripts import Pacing, ScriptedReply
from stackproof_gateway.strict_fields import Fields
from stackproof_gateway.usage import NAMES as USAGE

_NUMBER = (int, float)
_CODES = {429: ("rate_limit_error", "rate_limit_exceeded")}
_CONTENTS = ("text", "json", "tool_calls", "refusal", "error")


def read_reply(fields: Fields) -> ScriptedReply:
    """What a script answers.

    Raises:
        ScriptError: If it is not what it should be.
    """
    given = [key for key in _CONTENTS if fields.has(key)]
    clash = set(given) - {"text", "tool_calls"} if len(given) > 1 else set()
    if clash:
        raise fields.error(f"`{given[0]}` and `{given[1]}` can't be used together")
    reply, reasoning = _content(fields), _reasoning(fields)
    built_in = tuple(_built_in(use) for use in fields.each("built_in"))
    error, unit = _error(fields)
    usage = _usage(fields)
    pacing = _pacing(fields)
    fields.finish()
    for name in ("reasoning", "built_in", "items", "annotations"):
        if error is not None and fields.has(name):
            raise fields.error(f"`error` and `{name}` can't be used together")
    return ScriptedReply(reply, error, unit, usage, pacing, reasoning, built_in)


def _usage(fields: Fields) -> dict[str, int] | None:
    """Tokens to report, all by names that the gateway knows."""
    if not fields.has("usage"):
        fields.take("usage", dict, "an object of numbers")
        return None
    given = fields.below("usage")
    usage = {name: given.count(name, 0) for name in USAGE}
    given.finish()
    return {name: count for name, count in usage.items() if count is not None}


def _content(fields: Fields) -> Reply | None:
    text = fields.take("text", str, "a text")
    value = fields.take("json", object, "any value")
    refusal = fields.take("refusal", str, "a text")
    calls = tuple(_tool_call(call) for call in fields.each("tool_calls"))
    reason = fields.take("finish_reason", str, "a reason")
    items, annotations = read_items(fields), read_annotations(fields)
    if annotations and text is None:
        raise fields.error("`annotations` go with a `text`")
    if fields.has("error"):
        return None
    if calls:
        return Reply(text, calls, reason or "tool_calls", items=items, annotations=annotations)
    if fields.has("json"):
        return replace(json_reply(value), items=items)
    if refusal is not None:
        return Reply(None, (), reason or "stop", refusal, items=items)
    if text is None and not items:
        return None
    return Reply(text, (), reason or "stop", items=items, annotations=annotations)


def _reasoning(fields: Fields) -> tuple[Thought, ...] | None:
    """What the model thinks: a text, or a list of texts and of `{redacted: TEXT}`."""
    value = fields.take("reasoning", (str, list), "a text or a list of texts")
    if value is None:
        return None
    thoughts = []
    for at, part in enumerate([value] if isinstance(value, str) else value):
        if isinstance(part, str):
            thoughts.append(Thought(part))
            continue
        thought = Fields(part, (*fields.path, "reasoning", at), fields.lines, fields.source)
        redacted = thought.take("redacted", str, "a text")
        thought.finish()
        if redacted is None:
            raise thought.error("expected a text, or `redacted` with one")
        thoughts.append(Thought(redacted, redacted=True))
    return tuple(thoughts)


def _tool_call(fields: Fields) -> ToolCall:
    name = fields.take("name", str, "a name")
    if not name:
        raise fields.error("a tool call needs a `name`")
    arguments = fields.take("arguments", (dict, str), "an object")
    given = fields.take("input", str, "a text")
    identity = fields.take("id", str, "a text") or ""
    fields.finish()
    if given is not None:
        if arguments is not None:
            raise fields.error("`arguments` and `input` can't be used together")
        return ToolCall(name, given, identity, "custom")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
    return ToolCall(name, text, identity)


def _built_in(fields: Fields) -> BuiltInUse:
    name = fields.take("name", str, "a name")
    if not name:
        raise fields.error("a built-in tool needs a `name`")
    if fields.has("result") == fields.has("error"):
        raise fields.error("expected either `result` or `error`")
    use = BuiltInUse(
        name,
        fields.take("input", dict, "an object") or {},
        fields.take("result", object, "any value"),
        fields.take("error", str, "a text") or "",
        fields.take("server", str, "the name of an MCP server") or "",
    )
    fields.finish()
    return use


def _error(fields: Fields) -> tuple[ProviderError | None, str]:
    if not fields.has("error"):
        fields.take("error", dict, "an object")
        return None, "surface"
    given = fields.below("error")
    status = given.count("status", 400) or 500
    kind, code = _CODES.get(status, ("server_error" if status >= 500 else  # noqa: PLR2004 - HTTP's
                                     "invalid_request_error", None))  # fmt: skip
    retry_after = given.take("retry_after", _NUMBER, "seconds")
    unit = given.take("unit", str, "surface, attempt or call")
    unit = unit or ("surface" if retry_after is None else "attempt")
    message = given.take("message", str, "a text") or f"Scripted error with status {status}."
    error = ProviderError(
        status,
        message,
        kind=given.take("type", str, "a text") or kind,
        code=given.take("code", str, "a text") or code,
        param=given.take("param", str, "a text"),
        headers={} if retry_after is None else {"retry-after": f"{retry_after:g}"},
    )
    given.finish()
    if unit not in UNITS[:2]:
        raise given.error(
            f"{unit!r} is not a unit of a scripted error; known: surface, attempt", "unit"
        )
    if status > 599:  # noqa: PLR2004 - HTTP's
        raise given.error(f"an error has a status from 400 to 599, not {status}", "status")
    return error, unit


def _pacing(fields: Fields) -> Pacing:
    ends = fields.take("ends", bool, "true or false")
    return Pacing(
        delay=fields.seconds("delay"),
        hold=fields.take("hold", str, "the name of a hold"),
        first_token_after=fields.seconds("first_token_after"),
        between_tokens=fields.seconds("between_tokens"),
        cut_after=fields.count("cut_after", 0),
        malformed_after=fields.count("malformed_after", 0),
        error_after=fields.count("error_after", 0),
        ends=True if ends is None else ends,
    )
