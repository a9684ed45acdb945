"""What Anthropic's cache of prompts reads and writes, by the `cache_control` of a request.

Source: Anthropic guide "Prompt caching" and its SDK 2.14: up to four breakpoints, in the order of
tools, system, messages; each writes the prompt up to it, if that is long enough, and reads what was
written up to 20 blocks before. The texts are those that users of the API report; that of an unknown
type or time is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from stackproof_gateway.call import Call
from stackproof_gateway.message_errors import excluded, none_of, refused
from stackproof_gateway.message_turns import Message
from stackproof_gateway.prompt import Prompt, text_of
from stackproof_gateway.prompt_history import Part, after_each

MOST_BREAKPOINTS = 4
LEAST = 1024
"""Tokens of the shortest beginning that is written; some models have a higher bound."""
LOOK_BACK = 20
SECONDS = {"5m": 300, "1h": 3600}


@dataclass(frozen=True)
class Row:
    """A part of a prompt that may be a breakpoint.

    Attributes:
        param: Where it stands in the request.
        block: The tool or block; an empty one where it is a mere text.
        text: Its text, whose words are its tokens.
        role: `tools`, `system`, or who says it.
    """

    param: str
    block: Mapping[str, Any]
    text: str
    role: str

    @property
    def part(self) -> Part:
        """The row as a part of a history of prompts."""
        return Part(self.text, f"{self.role} {_plain(self.block)}")


def rows_of(body: dict[str, Any], messages: Sequence[Message]) -> list[Row]:
    """A prompt as the provider reads it: tools, system, messages."""
    tools = [tool for tool in body.get("tools") or [] if isinstance(tool, dict)]
    rows = [Row(f"tools.{at}", tool, _plain(tool), "tools") for at, tool in enumerate(tools)]
    rows.extend(_rows("system", body.get("system"), "system"))
    for number, message in enumerate(messages):
        rows.extend(_rows(f"messages.{number}.content", message["content"], message["role"]))
    return rows


def _plain(block: Mapping[str, Any]) -> str:
    """A block as JSON, without what says that it is cached."""
    kept = {key: value for key, value in block.items() if key != "cache_control"}
    return json.dumps(kept, sort_keys=True)


def _rows(param: str, content: Any, role: str) -> Iterator[Row]:
    if isinstance(content, str) and content:
        yield Row(f"{param}.0", {}, content, role)
    for at, block in enumerate(content if isinstance(content, list) else ()):
        if isinstance(block, dict):
            yield Row(f"{param}.{at}", block, _text(block), role)


def _text(block: Mapping[str, Any]) -> str:
    """The text of a block; thoughts have none, since those of earlier turns count nothing."""
    if block.get("type") == "tool_use":
        return f"{block.get('name')} {json.dumps(block.get('input'))}"
    return text_of([block]) or text_of(block.get("content"))


def cache_counts(call: Call, prompt: Prompt) -> dict[str, int]:
    """What the cache reads for a request, and what it writes, which the namespace remembers.

    Args:
        call: The call.
        prompt: What was asked.
    """
    body = prompt.body
    rows = rows_of(body, body["messages"])
    points = breakpoints(body, rows)
    if not points:
        return {}
    history, now = call.namespace.prompts, call.namespace.now
    ends = list(after_each(_parts(body, rows), prompt.model))
    near = {at for point in points for at in range(max(point - LOOK_BACK, 0), point + 1)}
    read = before = history.longest([ends[at] for at in sorted(near)], now)
    written = dict.fromkeys(SECONDS, 0)
    for point, ttl in points.items():
        end = ends[point]
        if end.tokens >= LEAST:
            history.remember([end], now + SECONDS[ttl])
            written[ttl] += max(end.tokens - before, 0)
            before = max(end.tokens, before)
    return {"cached_tokens": read, "cache_write_tokens": sum(written.values()),
            "cache_write_1h_tokens": written["1h"]}  # fmt: skip


def _parts(body: dict[str, Any], rows: Sequence[Row]) -> Iterator[Part]:
    """The prompt as a history has it; some settings change what is kept of the messages alone."""
    settings = [body.get(name) for name in ("thinking", "tool_choice", "output_config")]
    begun = json.dumps(settings, sort_keys=True)
    for row in rows:
        part, is_message = row.part, row.param.startswith("messages.")
        yield Part(part.text, part.mark + begun) if is_message else part
        begun = "" if is_message else begun


def breakpoints(body: dict[str, Any], rows: Sequence[Row]) -> dict[int, str]:
    """The rows after which the cache is written, in their order, and for how long.

    Raises:
        ProviderError: If the provider refuses them.
    """
    found: dict[int, str] = {}
    for at, row in enumerate(rows):
        if row.block.get("cache_control") is not None:
            found[at] = _time(row.block["cache_control"], f"{row.param}.cache_control")
            if row.block.get("type") in ("thinking", "redacted_thinking"):
                raise refused(f"{row.param}.{row.block['type']}.cache_control",
                              "Extra inputs are not permitted")  # fmt: skip
    if body.get("cache_control") is not None and rows:
        ttl, last = _time(body["cache_control"], "cache_control"), len(rows) - 1
        if found.setdefault(last, ttl) != ttl:
            raise excluded(f"Top-level cache_control has ttl='{ttl}' but the target block already "
                            f"has cache_control with ttl='{found[last]}'")  # fmt: skip
    if len(found) > MOST_BREAKPOINTS:
        raise excluded(f"A maximum of {MOST_BREAKPOINTS} blocks with cache_control may be "
                        f"provided. Found {len(found)}.")  # fmt: skip
    for (_, before), (at, ttl) in pairwise(found.items()):
        if (before, ttl) == ("5m", "1h"):
            raise refused(f"{rows[at].param}.cache_control.ttl", "a ttl='1h' cache_control block "
                          "must not come after a ttl='5m' cache_control block. Note that blocks "
                          "are processed in the following order: `tools`, `system`, "
                          "`messages`.")  # fmt: skip
    return found


def _time(control: Any, param: str) -> str:
    if not isinstance(control, dict) or control.get("type") != "ephemeral":
        raise none_of(f"{param}.type", ("ephemeral",))
    ttl = control.get("ttl") or "5m"
    if ttl not in SECONDS:
        raise none_of(f"{param}.ephemeral.ttl", tuple(SECONDS))
    return str(ttl)
