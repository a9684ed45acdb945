"""What the model says: the same for the same request, in no dialect yet.

The reply is `echo: ` and the last user text. Where that text holds `Reply with exactly: TEXT`, it
is TEXT; where it begins with `Summarize`, it is `summary: ` and the first words of what follows.
With a JSON schema it is the smallest value that is valid. A tool is called only if it must be.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from stackproof.gateway.prompt import Prompt, Tool, count_tokens
from stackproof.gateway.schema_answers import value_for

SUMMARY_WORDS = 20

_EXACTLY = re.compile(r"Reply with exactly:[ \t]*([^\n]*)")
_SUMMARIZE = re.compile(r"\s*(?:please\s+)?summari[sz]e\b[^:\n]*[:\n]?", re.IGNORECASE)
_PIECE = re.compile(r"(?<!\s)\s*+\S++(?:\s*+$)?")


@dataclass(frozen=True)
class ToolCall:
    """A call of a function.

    Attributes:
        name: Name of the function.
        arguments: Its arguments as JSON text.
        identity: Id of the call; given when the answer is made.
    """

    name: str
    arguments: str
    identity: str = ""


@dataclass(frozen=True)
class Reply:
    """What one choice of an answer says.

    Attributes:
        content: The text; None beside a tool call.
        tool_calls: Tool calls.
        finish_reason: Why it ends: `stop`, `length`, `tool_calls`, `content_filter`; None where
            the end is missing on purpose.
        refusal: Why the model will not answer.
        stopped_by: The stop word that ended it.
    """

    content: str | None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = "stop"
    refusal: str | None = None
    stopped_by: str | None = None

    @property
    def tokens(self) -> int:
        """Tokens of the reply."""
        called = " ".join(f"{one.name} {one.arguments}" for one in self.tool_calls)
        return count_tokens(self.content or self.refusal or called)


@dataclass(frozen=True)
class Completion:
    """A whole answer, before it has a form.

    Attributes:
        number: Number of the call in its namespace; ids come from it.
        created: Seconds of the namespace's clock.
        prompt: What was asked.
        replies: One a choice.
        usage: Tokens: `prompt_tokens`, `completion_tokens`, `total_tokens`.
    """

    number: int
    created: int
    prompt: Prompt
    replies: tuple[Reply, ...]
    usage: dict[str, int]

    @property
    def summary(self) -> str:
        """What the answer says, of its first choice."""
        first = self.replies[0]
        if first.tool_calls:
            return f"tool call {first.tool_calls[0].name}"
        return first.content or first.refusal or ""

    def without_end(self) -> Completion:
        """The same answer, but nothing says why it ended."""
        return replace(
            self, replies=tuple(replace(one, finish_reason=None) for one in self.replies)
        )


def complete(
    prompt: Prompt,
    number: int,
    created: int,
    *,
    reply: Reply | None = None,
    usage: dict[str, int] | None = None,
) -> Completion:
    """The answer to a request.

    Args:
        prompt: The request.
        number: Number of the call in its namespace.
        created: Seconds of the namespace's clock.
        reply: What to say instead of the default reply.
        usage: Tokens to report instead of the counted ones.
    """
    if reply is None:
        asked = [prompt, *(replace(prompt, asked=text) for text in prompt.others)]
        said = [default_reply(one) for one in asked]
    else:
        said = [reply] * (1 + len(prompt.others))
    replies = tuple(_numbered(one, number) for one in said for _ in range(prompt.choices))
    answered = sum(one.tokens for one in replies)
    counted = {
        "prompt_tokens": prompt.tokens,
        "completion_tokens": answered,
        "total_tokens": prompt.tokens + answered,
    }
    return Completion(number, created, prompt, replies, {**counted, **(usage or {})})


def _numbered(reply: Reply, number: int) -> Reply:
    """A reply whose tool calls have ids."""
    if not reply.tool_calls:
        return reply
    calls = tuple(
        replace(one, identity=one.identity or f"call_{number:08d}" + (f"_{at}" if at else ""))
        for at, one in enumerate(reply.tool_calls)
    )
    return replace(reply, tool_calls=calls)


def default_reply(prompt: Prompt) -> Reply:
    """What the model says where no script tells it."""
    if prompt.forced is not None:
        return Reply(None, (_call(prompt.forced),), "tool_calls")
    return cut(_content(prompt), prompt)


def _call(tool: Tool) -> ToolCall:
    return ToolCall(tool.name, json.dumps(value_for(tool.parameters or {"type": "object"})))


def _content(prompt: Prompt) -> str:
    if prompt.schema is not None:
        return json.dumps(value_for(prompt.schema))
    content = _plain(prompt.asked)
    return json.dumps({"answer": content}) if prompt.wants_json else content


def _plain(asked: str) -> str:
    exactly = _EXACTLY.search(asked)
    if exactly:
        return exactly[1].strip()
    wanted = _SUMMARIZE.match(asked)
    if wanted and asked[wanted.end() :].strip():
        return "summary: " + " ".join(asked[wanted.end() :].split()[:SUMMARY_WORDS])
    return f"echo: {asked}"


def cut(content: str, prompt: Prompt) -> Reply:
    """A text up to the first stop word and the bound of tokens."""
    stopped_by = None
    for word in prompt.stop:
        if word and word in content:
            content, stopped_by = content[: content.index(word)], word
    if prompt.bound is not None:
        found = pieces(content)
        if len(found) > prompt.bound:
            return Reply("".join(found[: prompt.bound]).rstrip(), (), "length")
    return Reply(content, stopped_by=stopped_by)


def pieces(content: str) -> list[str]:
    """A text in the pieces that a stream brings: its words with the space before them."""
    return _PIECE.findall(content)


def json_reply(value: Any) -> Reply:
    """A reply that is JSON text."""
    return Reply(json.dumps(value))
