"""What a request asks for, whatever dialect it is written in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Tool:
    """A function that the model may call.

    Attributes:
        name: Its name.
        parameters: JSON schema of its arguments.
    """

    name: str
    parameters: Any = None


@dataclass(frozen=True)
class Prompt:
    """A request to write something.

    Attributes:
        model: Model that is asked for.
        path: Path of the endpoint.
        asked: Text of the last message of the user.
        last: Text of the last message, whoever wrote it.
        tool_results: Results of tools since the model's last turn.
        tokens: Tokens of all messages, counted as words.
        tools: Functions that may be called.
        forced: The function that must be called.
        schema: JSON schema that the answer must fit; None without one.
        wants_json: Whether the answer must be a JSON object.
        stop: Words that end the answer before they are written.
        bound: Most tokens of the answer.
        choices: How many answers.
        stream: Whether the answer is a stream.
        include_usage: Whether the stream tells the usage.
        others: Further texts to be answered one by one, where a request may have several.
        body: The request itself.
    """

    model: str
    path: str
    asked: str = ""
    last: str = ""
    tool_results: tuple[str, ...] = ()
    tokens: int = 1
    tools: tuple[Tool, ...] = ()
    forced: Tool | None = None
    schema: Any = None
    wants_json: bool = False
    stop: tuple[str, ...] = ()
    bound: int | None = None
    choices: int = 1
    stream: bool = False
    include_usage: bool = False
    others: tuple[str, ...] = ()
    body: dict[str, Any] = field(default_factory=dict, repr=False)


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
