"""What a script says of the calls that it answers, and whether a call meets it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from stackproof_gateway.prompt import Prompt


def _user_text(prompt: Prompt) -> list[str]:
    """The user's last message, if the model has not replied since."""
    return [turn.text for turn in prompt.since_last_reply if turn.role == "user"][-1:]


def _last_reply(prompt: Prompt) -> list[str]:
    """All that the model said in its last turn."""
    before = prompt.asked_turns[: len(prompt.asked_turns) - len(prompt.since_last_reply)]
    found = []
    for turn in reversed(before):
        if turn.role != "assistant":
            break
        found.append(turn.text)
    return ["\n".join(reversed(found))] if found else []


SUBJECTS: dict[str, Callable[[Prompt], Sequence[str]]] = {
    "model": lambda prompt: (prompt.model,),
    "path": lambda prompt: (prompt.path,),
    "tool": lambda prompt: prompt.tool_names,
    "schema": lambda prompt: prompt.schema_names,
    "text": _user_text,
    "tool_result": lambda prompt: [
        turn.text for turn in prompt.since_last_reply if turn.role == "tool"
    ],
    "system": lambda prompt: prompt.texts("system"),
    "message": lambda prompt: prompt.texts(),
    "last_reply": _last_reply,
}
"""What a condition of this name looks at; one of several values is enough."""

NAMES = ("model", "path", "tool", "schema")
"""Conditions that are patterns of the whole name; the others are parts of a text."""


@dataclass(frozen=True)
class Match:
    """What a value must be like.

    Attributes:
        kind: `name`: a pattern with `*` and `?`; `part`: a part of a text; `regex`.
        text: As it was written.
        flags: Flags of an expression.
    """

    kind: str
    text: str
    flags: int = 0

    def fits(self, value: str) -> bool:
        """Whether a value is like that."""
        if self.kind == "regex":
            return re.search(self.text, value, self.flags) is not None
        return fnmatchcase(value, self.text) if self.kind == "name" else self.text in value

    def covers(self, other: Match) -> bool:
        """Whether each value that fits the other is sure to fit this."""
        if self == other:
            return True
        if self.kind == "part":
            return other.kind == "part" and self.text in other.text
        literal = other.kind == "name" and not set(other.text) & set("*?[")
        return self.kind == "name" and (self.text == "*" or (literal and self.fits(other.text)))


@dataclass(frozen=True)
class When:
    """Which calls a script answers; all that is given must be so.

    Attributes:
        matches: Subjects, and what they must be like.
        headers: Names of headers in small letters, and what they must be like.
        turn: Only the model's nth turn of a conversation, from 1.
        call: Only the nth call that fits the rest, from 1.
        after: What must have happened before: (`signal` | `script` | `call`, name).
    """

    matches: tuple[tuple[str, Match], ...] = ()
    headers: tuple[tuple[str, Match], ...] = ()
    turn: int | None = None
    call: int | None = None
    after: tuple[str, str] | None = None

    def fits(self, prompt: Prompt, headers: Mapping[str, str]) -> bool:
        """Whether a call fits, apart from what was before it."""
        return (
            self.turn in {None, prompt.turn}
            and all(match.fits(headers.get(name, "")) and name in headers
                    for name, match in self.headers)
            and all(any(match.fits(value) for value in SUBJECTS[subject](prompt))
                    for subject, match in self.matches)
        )  # fmt: skip

    def covers(self, other: When) -> bool:
        """Whether each call that fits the other is sure to fit this."""
        if self.call is not None or self.after is not None or self.turn not in {None, other.turn}:
            return False
        return all(
            any(name == their_name and match.covers(theirs) for their_name, theirs in others)
            for own, others in ((self.matches, other.matches), (self.headers, other.headers))
            for name, match in own
        )

    def written(self, subject: str) -> str | None:
        """What a condition says; None if there is none."""
        return next((match.text for name, match in self.matches if name == subject), None)
