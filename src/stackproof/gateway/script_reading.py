"""Scripts as people write them: read strictly, so that a misspelt key is an error at once."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from stackproof.gateway.errors import ProviderError
from stackproof.gateway.faults import UNITS
from stackproof.gateway.replies import Reply, ToolCall, json_reply
from stackproof.gateway.scripts import ENDLESS, Pacing, Script, ScriptedReply, When
from stackproof.gateway.strict_fields import Fields, Lines, ScriptError
from stackproof.gateway.yaml_files import read_fields

_NUMBER = (int, float)
_CODES = {429: ("rate_limit_error", "rate_limit_exceeded")}
_CONTENTS = ("text", "json", "tool_calls", "refusal", "error")


def read_script(
    given: Any,
    *,
    name: str,
    path: tuple[str | int, ...] = (),
    lines: Lines | None = None,
    source: str = "the script",
) -> Script:
    """One script.

    Args:
        given: Its keys and values.
        name: Its name, if it gives none.
        path: Where it stands in its file.
        lines: Lines of the file.
        source: Name of the file.

    Raises:
        ScriptError: If it is not what it should be.
    """
    fields = Fields(given, path, lines or {}, source)
    own_name = fields.take("name", str, "a name")
    when = _when(fields.below("when"))
    times = fields.count("times")
    optional = fields.take("optional", bool, "true or false") or False
    if fields.has("reply") == fields.has("replies"):
        raise fields.error("expected either `reply` or `replies`")
    if fields.has("reply"):
        one = fields.take("reply", (str, dict), "a text or an object")
        replies = [_reply(Fields(_as_object(one), (*path, "reply"), fields.lines, source))]
    else:
        replies = [_reply(one) for one in _texts_as_objects(fields)]
        if times is not None:
            raise fields.error("`replies` are used once each; `times` goes with `reply`", "times")
        times = len(replies)
        if not replies:
            raise fields.error("there are no replies", "replies")
    fields.finish()
    return Script(own_name or name, when, tuple(replies), times or ENDLESS, optional)


def _as_object(reply: Any) -> Any:
    return {"text": reply} if isinstance(reply, str) else reply


def _texts_as_objects(fields: Fields) -> list[Fields]:
    values = fields.take("replies", list, "a list") or []
    return [
        Fields(_as_object(one), (*fields.path, "replies", at), fields.lines, fields.source)
        for at, one in enumerate(values)
    ]


def _when(fields: Fields) -> When:
    regex = fields.take("regex", str, "a regular expression")
    try:
        pattern = re.compile(regex) if regex is not None else None
    except (re.error, OverflowError, RecursionError, ValueError) as error:
        raise fields.error(f"{regex!r} is no regular expression: {error}", "regex") from None
    when = When(
        model=fields.take("model", str, "a pattern of names") or "*",
        path=fields.take("path", str, "a pattern of paths") or "*",
        text=fields.take("text", str, "a text"),
        regex=pattern,
        tool_result=fields.take("tool_result", str, "a text"),
        call=fields.count("call"),
        after=_after(fields),
    )
    fields.finish()
    return when


def _after(fields: Fields) -> tuple[str, str] | None:
    if not fields.has("after"):
        return None
    after = fields.below("after")
    found = [
        (kind, after.take(kind, str, "a name"))
        for kind in ("signal", "script", "call")
        if after.has(kind)
    ]
    for kind in ("signal", "script", "call"):
        after.take(kind, str, "a name")
    after.finish()
    if len(found) != 1:
        raise after.error("expected one of `signal`, `script`, `call`")
    return found[0]


def _reply(fields: Fields) -> ScriptedReply:
    given = [key for key in _CONTENTS if fields.has(key)]
    clash = set(given) - {"text", "tool_calls"} if len(given) > 1 else set()
    if clash:
        raise fields.error(f"`{given[0]}` and `{given[1]}` exclude each other")
    reply = _content(fields)
    error, unit = _error(fields)
    usage = fields.take("usage", dict, "an object of numbers")
    pacing = _pacing(fields)
    fields.finish()
    if usage is not None and not all(type(one) is int for one in usage.values()):
        raise fields.error("expected whole numbers", "usage")
    return ScriptedReply(reply, error, unit, usage, pacing)


def _content(fields: Fields) -> Reply | None:
    text = fields.take("text", str, "a text")
    value = fields.take("json", object, "any value")
    refusal = fields.take("refusal", str, "a text")
    calls = tuple(_tool_call(one) for one in fields.each("tool_calls"))
    reason = fields.take("finish_reason", str, "a reason")
    if fields.has("error"):
        return None
    if calls:
        return Reply(text, calls, reason or "tool_calls")
    if fields.has("json"):
        return json_reply(value)
    if refusal is not None:
        return Reply(None, (), reason or "stop", refusal)
    return Reply(text, (), reason or "stop") if text is not None else None


def _tool_call(fields: Fields) -> ToolCall:
    name = fields.take("name", str, "a name")
    if not name:
        raise fields.error("the tool has no `name`")
    arguments = fields.take("arguments", (dict, str), "an object")
    identity = fields.take("id", str, "a text") or ""
    fields.finish()
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
    return ToolCall(name, text, identity)


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
            f"{unit!r} is no unit of a scripted error; known: surface, attempt", "unit"
        )
    if status > 599:  # noqa: PLR2004 - HTTP's
        raise given.error(f"{status} is no status of an error", "status")
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


def load_scripts(path: Path) -> list[Script]:
    """The scripts of a file.

    Args:
        path: A YAML file: `scripts:` and a list.

    Raises:
        ScriptError: If it cannot be read, or is not what it should be; with file and line.
    """
    fields = read_fields(path)
    given = fields.take("scripts", list, "a list of scripts") or []
    fields.finish()
    scripts = [
        read_script(one, name=f"{path.stem}-{at + 1}", path=("scripts", at), lines=fields.lines,
                    source=fields.source)
        for at, one in enumerate(given)
    ]  # fmt: skip
    names = [one.name for one in scripts]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ScriptError(f"there are two scripts named {twice}", fields.source)
    return scripts
