"""What a request asks for, whatever dialect it is written in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from stackproof_gateway.errors import ProviderError

_ROLES = {"developer": "system", "function": "tool"}


@dataclass(frozen=True)
class Tool:
    """A tool of the client that the model may call.

    Attributes:
        name: Its name.
        parameters: JSON schema of a function's arguments.
        kind: `function`, or `custom` for a tool that gets a text.
        grammar: Syntax and definition of the grammar of that text.
    """

    name: str
    parameters: Any = None
    kind: str = "function"
    grammar: tuple[str, str] | None = None


@dataclass(frozen=True)
class Turn:
    """A part of the conversation.

    Attributes:
        role: Who said it: `system`, `user`, `assistant` or `tool`.
        text: What was said; of the model also the names and arguments of its tool calls.
    """

    role: str
    text: str


@dataclass  # frozen, it would take a call a fiftieth longer to set its many fields
class Prompt:
    """A request to write something.

    Attributes:
        model: Model that is asked for.
        path: Path of the endpoint.
        asked: Text of the last message of the user.
        last: The text of a request that is no conversation, such as one for embeddings.
        tokens: Tokens of all messages, counted as words.
        tools: Functions that may be called.
        forced: The function that must be called.
        schema: JSON schema that the answer must fit; None without one.
        unquoted: Whether a text that the schema asks for is written as it is, not as JSON.
        may_tell_schema: Whether a schema may stand in its texts; to look for one costs a tenth.
        wants_json: Whether the answer must be a JSON object.
        stop: Words that end the answer before they are written.
        bound: Most tokens of the answer.
        choices: How many answers.
        stream: Whether the answer is a stream.
        include_usage: Whether the stream tells the usage.
        background: Whether the client asks for the answer later.
        searched: What a built-in tool has searched and found, as items of the Responses API.
        reasoning: Whether the model reasons first: `none`, `told` (if a script says what),
            `hidden` (the client does not see what it thinks) or `shown`.
        others: Further texts to be answered one by one, where a request may have several.
        body: The request itself.
        earlier: Items of the conversation that the request does not repeat.
        spoken: The conversation of a request that has it in other fields than most; only asked for
            where a script looks at it.
        offered: Names of its tools, where they stand elsewhere than in most.
        compaction: What the item holds that an answer begins with whose context was compacted.
        unscripted: The answer where no script says what to reply.
    """

    model: str
    path: str
    asked: str = ""
    last: str = ""
    tokens: int = 1
    tools: tuple[Tool, ...] = ()
    forced: Tool | None = None
    schema: Any = None
    unquoted: bool = False
    may_tell_schema: bool = True
    wants_json: bool = False
    stop: tuple[str, ...] = ()
    bound: int | None = None
    choices: int = 1
    stream: bool = False
    include_usage: bool = False
    background: bool = False
    searched: tuple[dict[str, Any], ...] = ()
    reasoning: str = "none"
    others: tuple[str, ...] = ()
    body: dict[str, Any] = field(default_factory=dict, repr=False)
    earlier: Sequence[dict[str, Any]] = field(default=(), repr=False)
    spoken: Callable[[], Sequence[Turn]] | None = field(default=None, repr=False)
    offered: Sequence[str] = ()
    compaction: str = ""
    unscripted: ProviderError | None = None

    @cached_property
    def turns(self) -> tuple[Turn, ...]:
        """The whole conversation, oldest first."""
        if self.last:
            return (Turn("user", self.last),)
        if self.spoken is not None:
            return tuple(self.spoken())
        return tuple(_conversation(self.body, self.earlier))

    @cached_property
    def asked_turns(self) -> tuple[Turn, ...]:
        """The conversation without the beginning of an answer that the model shall go on with."""
        count = len(self.turns)
        while count and self.turns[count - 1].role == "assistant":
            count -= 1
        return self.turns[:count]

    @cached_property
    def since_last_reply(self) -> tuple[Turn, ...]:
        """What was said since the model's last turn."""
        turns = self.asked_turns
        last = max((at for at, turn in enumerate(turns) if turn.role == "assistant"), default=-1)
        return turns[last + 1 :]

    @property
    def turn(self) -> int:
        """Which turn of the model this is, from 1; what it says in a row is one turn."""
        roles = [turn.role for turn in self.asked_turns]
        return 1 + sum(
            role == "assistant" != before for before, role in zip(["", *roles], roles, strict=False)
        )

    @property
    def tool_names(self) -> list[str]:
        """Names of the tools that are offered; of the provider's own ones their types."""
        if self.spoken is not None:
            return list(self.offered)
        tools = self.body.get("tools") or self.body.get("functions")
        found = []
        for tool in tools if isinstance(tools, list) else ():
            if isinstance(tool, dict):
                function = tool["function"] if isinstance(tool.get("function"), dict) else tool
                found.append(function.get("name") or tool.get("type"))
        return [name for name in found if isinstance(name, str)]

    @property
    def schema_names(self) -> list[str]:
        """What the form of the answer is called: its schema, the schema's title, a forced tool."""
        form, text = self.body.get("response_format"), self.body.get("text")
        given = form.get("json_schema") if isinstance(form, dict) else None
        if isinstance(text, dict):
            given = text.get("format")
        title = self.schema.get("title") if isinstance(self.schema, dict) else None
        named = given.get("name") if isinstance(given, dict) else None
        forced = self.forced.name if self.forced else None
        return [name for name in (named, title, forced) if isinstance(name, str)]

    def texts(self, *roles: str) -> list[str]:
        """What was said, newest first.

        Args:
            *roles: Only what these said; nothing for everybody.
        """
        return [turn.text for turn in reversed(self.turns) if not roles or turn.role in roles]


def _conversation(body: dict[str, Any], earlier: Sequence[dict[str, Any]]) -> Iterator[Turn]:
    """The turns of a request in any dialect; what can't be read is left out."""
    for key in ("system", "instructions"):
        text = text_of(body.get(key))
        if text:
            yield Turn("system", text)
    given = next((body[key] for key in ("messages", "input") if body.get(key)), ())
    items = [given] if isinstance(given, str) else given
    for item in [*earlier, *(items if isinstance(items, list) else ())]:
        if isinstance(item, str):
            yield Turn("user", item)
        elif isinstance(item, dict):
            yield from _turns(item)


def _turns(item: dict[str, Any]) -> Iterator[Turn]:
    """The turns of one message, or of one item of the Responses API."""
    kind = item.get("type", "message")
    if isinstance(kind, str) and kind.endswith("_output"):
        yield Turn("tool", text_of(item.get("output")))
        return
    if kind == "mcp_approval_response":
        yield Turn("tool", f"approve: {json.dumps(item.get('approve'))} {item.get('reason') or ''}")
        return
    content, role = item.get("content"), item.get("role")
    blocks = (
        [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    )
    results = [block for block in blocks if block.get("type") == "tool_result"]
    for result in results:
        yield Turn("tool", text_of(result.get("content")))
    called = item.get("tool_calls")
    legacy = item.get("function_call")
    calls = [*(called if isinstance(called, list) else ()), *([legacy] if legacy else ()), *blocks]
    calls = calls if isinstance(role, str) else [item]
    said = [text_of(content), *filter(None, map(_called, calls))]
    text = "\n".join(part for part in said if part)
    if isinstance(role, str) and (text or not results):
        yield Turn(_ROLES.get(role, role), text)
    elif role is None and kind != "item_reference":
        yield Turn("assistant", text)


def _called(call: Any) -> str:
    """The name and the arguments of a tool call; empty if it is none."""
    if not isinstance(call, dict):
        return ""
    below = (call.get(name) for name in ("function", "custom"))
    function = next((given for given in below if isinstance(given, dict)), call)
    if not isinstance(function.get("name"), str):
        return ""
    given = function.get("arguments", function.get("input"))
    return f"{function['name']} {given if isinstance(given, str) else json.dumps(given or {})}"


def text_of(content: Any) -> str:
    """The text of a message, whose content may be a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))


def count_tokens(text: str) -> int:
    """How many tokens a text has: its words, and never none."""
    return max(len(text.split()), 1)
