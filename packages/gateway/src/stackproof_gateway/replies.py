"""What the model says: the same for the same request, in no dialect yet.

The reply is `echo: ` and the last user text. Where that text holds `Reply with exactly: TEXT`, it
is TEXT; where it begins with `Summarize`, it is `summary: ` and the first words of what follows.
With a JSON schema it is a small valid value, also where the schema stands in the text of the
prompt. A tool is called only if it must be. Before it answers it thinks of that user text, if the
request asks for it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from stackproof_gateway.custom_inputs import custom_input
from stackproof_gateway.instructions import exactly, plain_reply
from stackproof_gateway.known_ids import KnownIds
from stackproof_gateway.prompt import Prompt, count_tokens
from stackproof_gateway.prompt_schemas import schema_in
from stackproof_gateway.schema_answers import value_for
from stackproof_gateway.usage import reported

THOUGHT_WORDS = 12

_PIECE = re.compile(r"(?<!\s)\s*+\S++(?:\s*+$)?")


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool of the client.

    Attributes:
        name: Name of the tool.
        arguments: A function's arguments as JSON text, or the text that a custom tool gets.
        identity: Id of the call; given when the answer is made.
        kind: `function` or `custom`, as the request offers the tool.
    """

    name: str
    arguments: str
    identity: str = ""
    kind: str = "function"


@dataclass(frozen=True)
class BuiltInUse:
    """A use of a tool that the provider or an MCP server runs, with what came out.

    Attributes:
        name: Name of the tool.
        input: Its arguments.
        result: What it gave back, in the provider's form or a shorter one.
        error: Why it gave nothing back: a code, or a text of an MCP server.
        server: Name of the MCP server; empty for a tool of the provider's own.
    """

    name: str
    input: dict[str, Any]
    result: Any = None
    error: str = ""
    server: str = ""


@dataclass(frozen=True)
class Thought:
    """A part of what the model reasons before it answers.

    Attributes:
        text: What it thinks.
        redacted: Whether the client gets it in a form that it can't read.
    """

    text: str
    redacted: bool = False


@dataclass  # as a prompt is not frozen
class Reply:
    """What one choice of an answer says.

    Attributes:
        content: The text; None beside a tool call.
        tool_calls: Tool calls.
        finish_reason: Why it ends: `stop`, `length`, `tool_calls`, `content_filter`; None where
            the end is missing on purpose.
        refusal: Why the model will not answer.
        stopped_by: The stop word that ended it.
        reasoning: What the model thinks first.
        built_in: Tools that the provider or an MCP server ran meanwhile.
        items: What built-in tools leave in an answer of the Responses API, before the text.
        annotations: What the text cites.
    """

    content: str | None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = "stop"
    refusal: str | None = None
    stopped_by: str | None = None
    reasoning: tuple[Thought, ...] = ()
    built_in: tuple[BuiltInUse, ...] = ()
    items: tuple[dict[str, Any], ...] = ()
    annotations: tuple[dict[str, Any], ...] = ()

    @property
    def reasoning_tokens(self) -> int:
        """Tokens of the reasoning."""
        return sum(count_tokens(thought.text) for thought in self.reasoning)

    @property
    def tokens(self) -> int:
        """Tokens of the reply, without its reasoning."""
        said = self.content or self.refusal
        return count_tokens(
            said or " ".join(f"{call.name} {call.arguments}" for call in self.tool_calls)
        )


@dataclass  # as a prompt is not frozen
class Completion:
    """A whole answer, before it has a form.

    Attributes:
        number: Number of the call in its namespace; ids come from it.
        created: Seconds of the namespace's clock.
        prompt: What was asked.
        replies: One a choice.
        usage: Tokens: `prompt_tokens`, `completion_tokens` (those of the reasoning included),
            `total_tokens`, and others by the names that `usage.py` has for them.
    """

    number: int
    created: int
    prompt: Prompt
    replies: tuple[Reply, ...]
    usage: dict[str, int]

    def head(self, prefix: str, kind: str) -> dict[str, Any]:
        """What each form of OpenAI's older APIs begins with."""
        return {
            "id": f"{prefix}{self.number:08d}",
            "object": kind,
            "created": self.created,
            "model": self.prompt.model,
        }

    @property
    def summary(self) -> str:
        """What the answer says, of its first choice."""
        first = self.replies[0]
        if first.tool_calls:
            return f"tool call {first.tool_calls[0].name}"
        if first.content or first.refusal:
            return first.content or first.refusal or ""
        done = [*(use.name for use in first.built_in), *(item["type"] for item in first.items)]
        return ", ".join(done)

    def without_end(self) -> Completion:
        """The same answer, but nothing says why it ended."""
        return replace(
            self, replies=tuple(replace(reply, finish_reason=None) for reply in self.replies)
        )


def complete(
    prompt: Prompt,
    number: int,
    created: int,
    *,
    reply: Reply | None = None,
    usage: dict[str, int] | None = None,
    reasoning: tuple[Thought, ...] | None = None,
    built_in: tuple[BuiltInUse, ...] = (),
    cached: dict[str, int] | None = None,
    items: int = 1,
) -> Completion:
    """The answer to a request.

    Args:
        prompt: The request.
        number: Number of the call in its namespace.
        created: Seconds of the namespace's clock.
        reply: What to say instead of the default reply.
        usage: Tokens to report instead of the counted ones.
        reasoning: What to think instead of the default thought.
        built_in: Tools that the provider ran meanwhile.
        cached: Tokens of the prompt cache, by their names in `usage`.
        items: How many items an array gets that is made from a schema.
    """
    told = [default_reply(prompt, items) if reply is None else _bounded(reply, prompt)]
    for text in prompt.others:
        told.append(default_reply(replace(prompt, asked=text), items) if reply is None else told[0])
    if prompt.reasoning != "none":
        told = [_reasoned(one, prompt, reasoning) for one in told]
    if built_in:
        told = [replace(one, built_in=built_in) for one in told]
    replies = tuple([
        _numbered(one, prompt, number, choice) for one in told for choice in range(prompt.choices)
    ])  # fmt: skip
    reasons = prompt.reasoning != "none"
    reasoned = sum([reply.reasoning_tokens for reply in replies]) if reasons else 0
    answered = sum([reply.tokens for reply in replies]) + reasoned
    counted = {
        "prompt_tokens": prompt.tokens,
        "completion_tokens": answered,
        "total_tokens": prompt.tokens + answered,
        **(cached or {}),
    }
    if reasons:
        counted["reasoning_tokens"] = reasoned
    return Completion(number, created, prompt, replies, reported(counted, usage))


def _bounded(reply: Reply, prompt: Prompt) -> Reply:
    """A scripted reply up to the first stop word and the bound of tokens of the request."""
    if reply.content is None or reply.finish_reason != "stop":
        return reply
    said = cut(reply.content, prompt)
    if said.content == reply.content:
        return reply
    return replace(reply, content=said.content, finish_reason=said.finish_reason,
                   stopped_by=said.stopped_by)  # fmt: skip


def _reasoned(reply: Reply, prompt: Prompt, told: tuple[Thought, ...] | None) -> Reply:
    """A reply with thoughts, if the model has some."""
    if prompt.reasoning == "told" and told is None:
        return reply
    words = " ".join(prompt.asked.split()[:THOUGHT_WORDS])
    return replace(reply, reasoning=(Thought(f"thinking of: {words}"),) if told is None else told)


def _numbered(reply: Reply, prompt: Prompt, number: int, choice: int) -> Reply:
    """A reply whose tool calls are of the kind that is offered, with ids of this choice alone."""
    if not reply.tool_calls:
        return reply
    other = f"_choice{choice}" if choice else ""
    kinds = {tool.name: tool.kind for tool in prompt.tools}
    calls = tuple(
        replace(call, identity=(call.identity or f"call_{number:08d}" + (f"_{at}" if at else ""))
                + other, kind=kinds.get(call.name, call.kind))
        for at, call in enumerate(reply.tool_calls)
    )  # fmt: skip
    return replace(reply, tool_calls=calls)


def default_reply(prompt: Prompt, items: int = 1) -> Reply:
    """What the model says where no script tells it.

    Args:
        prompt: What was asked.
        items: How many items an array gets that is made from a schema.
    """

    def made(schema: Any) -> str:
        return json.dumps(value_for(schema, items=items, ids=KnownIds(prompt.texts())))

    if prompt.forced is not None:
        if prompt.forced.kind == "custom":
            arguments = custom_input(prompt.forced, plain_reply(prompt.asked))
        else:
            arguments = made(prompt.forced.parameters or {"type": "object"})
        return Reply(None, (ToolCall(prompt.forced.name, arguments),), "tool_calls")
    schema = _schema(prompt)
    if schema is None:
        return cut(_content(prompt), prompt)
    answer = made(schema)
    return cut(str(json.loads(answer)) if prompt.unquoted else answer, prompt)


def _schema(prompt: Prompt) -> Any:
    """The schema of the answer; a text that says what to reply goes before one in the text."""
    if prompt.schema is not None or not prompt.may_tell_schema:
        return prompt.schema
    return schema_in(prompt.texts("user", "system")) if exactly(prompt.asked) is None else None


def _content(prompt: Prompt) -> str:
    content = plain_reply(prompt.asked)
    return json.dumps({"answer": content}) if prompt.wants_json else content


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
