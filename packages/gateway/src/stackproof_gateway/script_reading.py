"""Scripts as people write them: read strictly, so that a misspelt key is an error at once."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from stackproof_gateway.conditions import NAMES, SUBJECTS, Match, When
from stackproof_gateway.reply_reading import read_reply
from stackproof_gateway.scripts import ENDLESS, Script, unreachable
from stackproof_gateway.strict_fields import Fields, Lines, ScriptError
from stackproof_gateway.yaml_files import read_fields

log = logging.getLogger("stackproof_gateway")

FLAGS = {"a": re.ASCII, "i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}
"""Flags of regular expressions by the letters that Python has for them."""


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
    value = fields.take("reply", (str, dict), "a text or an object")
    several = fields.take("replies", list, "a list") or []
    if fields.has("reply"):
        replies = [read_reply(Fields(_as_object(value), (*path, "reply"), fields.lines, source))]
    else:
        replies = [read_reply(reply) for reply in _texts_as_objects(fields, several)]
        if times is not None:
            raise fields.error("`replies` are used once each; `times` goes with `reply`", "times")
        times = len(replies)
        if not replies:
            raise fields.error("there are no replies", "replies")
    fields.finish()
    return Script(own_name or name, when, tuple(replies), times or ENDLESS, optional)


def _as_object(reply: Any) -> Any:
    return {"text": reply} if isinstance(reply, str) else reply


def _texts_as_objects(fields: Fields, values: list[Any]) -> list[Fields]:
    return [
        Fields(_as_object(value), (*fields.path, "replies", at), fields.lines, fields.source)
        for at, value in enumerate(values)
    ]


def _when(fields: Fields) -> When:
    matches = [(name, match) for name in SUBJECTS if (match := _match(fields, name))]
    regex = fields.take("regex", str, "a regular expression")
    if regex is not None:
        matches.append(("text", _expression(fields, regex, 0)))
    headers = fields.below("header")
    when = When(
        matches=tuple(matches),
        headers=tuple((name.lower(), match) for name in headers
                      if (match := _match(headers, name, "name"))),
        turn=fields.count("turn"),
        call=fields.count("call"),
        after=_after(fields),
    )  # fmt: skip
    fields.finish()
    return when


def _match(fields: Fields, key: str, kind: str = "") -> Match | None:
    """What a condition says: a text, or an expression with its flags."""
    value = fields.take(key, (str, dict), "a text or {regex: EXPRESSION}")
    if value is None:
        return None
    if isinstance(value, str):
        return Match(kind or ("name" if key in NAMES else "part"), value)
    below = fields.below(key)
    regex = below.take("regex", str, "a regular expression")
    letters = below.take("flags", str, "letters of flags") or ""
    below.finish()
    if regex is None:
        raise below.error("expected a `regex`")
    if not set(letters) <= set(FLAGS):
        raise below.error(f"{letters!r} are not flags; known: {', '.join(FLAGS)}", "flags")
    return _expression(below, regex, sum(FLAGS[letter] for letter in set(letters)))


def _expression(fields: Fields, regex: str, flags: int) -> Match:
    try:
        re.compile(regex, flags)
    except (re.error, OverflowError, RecursionError, ValueError) as error:
        raise fields.error(f"{regex!r} is not a regular expression: {error}", "regex") from None
    return Match("regex", regex, flags)


def _after(fields: Fields) -> tuple[str, str] | None:
    given, after = fields.has("after"), fields.below("after")
    kinds = ("signal", "script", "call")
    found = [(kind, name) for kind in kinds if (name := after.take(kind, str, "a name"))]
    after.finish()
    if given and len(found) != 1:
        raise after.error("expected one of `signal`, `script`, `call`")
    return found[0] if found else None


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
        read_script(script, name=f"{path.stem}-{at + 1}", path=("scripts", at), lines=fields.lines,
                    source=fields.source)
        for at, script in enumerate(given)
    ]  # fmt: skip
    names = [script.name for script in scripts]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ScriptError(f"two scripts are named {twice}", fields.source)
    for at, script in enumerate(scripts):
        warning = unreachable(script, scripts[:at])
        if warning is not None:
            log.warning("%s: %s", fields.source, warning)
    return scripts
