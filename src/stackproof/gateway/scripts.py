"""Scripted replies: when a call fits, what to answer, and what has been used for a test so far."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from stackproof.gateway.errors import ProviderError
from stackproof.gateway.prompt import Prompt
from stackproof.gateway.replies import Reply

ENDLESS = 10**9


@dataclass(frozen=True)
class Pacing:
    """How an answer travels.

    Attributes:
        delay: Seconds before anything is sent.
        hold: Name of a hold; nothing is sent before it is released.
        first_token_after: Seconds between the head of a stream and its first event.
        between_tokens: Seconds between two events of a stream.
        cut_after: Events (of a plain answer: half of its bytes) before the connection is cut.
        malformed_after: Events before one that is no JSON.
        error_after: Events before the provider's error in mid-stream.
        ends: Whether the end is sent; without it there is no reason to finish.
    """

    delay: float = 0.0
    hold: str | None = None
    first_token_after: float = 0.0
    between_tokens: float = 0.0
    cut_after: int | None = None
    malformed_after: int | None = None
    error_after: int | None = None
    ends: bool = True


AT_ONCE = Pacing()


@dataclass(frozen=True)
class ScriptedReply:
    """What a script answers.

    Attributes:
        reply: What the model says; None where it is an error.
        error: The error.
        unit: What the error is meant to hit, as with faults.
        usage: Tokens to report instead of the counted ones.
        pacing: How the answer travels.
    """

    reply: Reply | None = None
    error: ProviderError | None = None
    unit: str = "surface"
    usage: dict[str, int] | None = None
    pacing: Pacing = AT_ONCE


@dataclass(frozen=True)
class When:
    """Which calls a script answers; all that is given must be so.

    Attributes:
        model: Pattern of the model, with `*` and `?`.
        path: Pattern of the path.
        text: Part of the last message.
        regex: Expression that is found in the last message.
        tool_result: Part of a tool's result since the model's last turn.
        call: Only the nth call that fits the rest, from 1.
        after: What must have happened before: (`signal` | `script` | `call`, name).
    """

    model: str = "*"
    path: str = "*"
    text: str | None = None
    regex: re.Pattern[str] | None = None
    tool_result: str | None = None
    call: int | None = None
    after: tuple[str, str] | None = None

    def fits(self, prompt: Prompt) -> bool:
        """Whether a call fits, apart from what was before it."""
        return (
            fnmatchcase(prompt.model, self.model)
            and fnmatchcase(prompt.path, self.path)
            and (self.text is None or self.text in prompt.last)
            and (self.regex is None or self.regex.search(prompt.last) is not None)
            and (
                self.tool_result is None
                or any(self.tool_result in one for one in prompt.tool_results)
            )
        )


@dataclass(frozen=True)
class Script:
    """Calls and their answers.

    Attributes:
        name: Its name, unique in a namespace.
        when: Which calls.
        replies: The answers, in turn.
        times: How many calls it answers at the most.
        optional: Whether it may stay unused.
    """

    name: str
    when: When
    replies: tuple[ScriptedReply, ...]
    times: int = ENDLESS
    optional: bool = False


@dataclass
class _Slot:
    script: Script
    seen: int = 0
    used: int = 0

    @property
    def wanted(self) -> int:
        if self.script.optional:
            return 0
        return 1 if self.script.times == ENDLESS else self.script.times


@dataclass
class ScriptBook:
    """The scripts of one namespace, and what they have been used for.

    Args:
        defaults: Scripts that the namespace has from the start; those of a test go before them.
    """

    defaults: Sequence[Script] = ()
    signals: set[str] = field(default_factory=set)
    calls: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._own: list[_Slot] = []
        self._given = [_Slot(one) for one in self.defaults]
        self._holds: dict[str, asyncio.Event] = {}

    @property
    def _slots(self) -> list[_Slot]:
        return self._own + self._given

    def add(self, script: Script) -> None:
        """Take a script of a test, which goes before those of the start.

        Raises:
            ValueError: If there is one of this name.
        """
        if any(slot.script.name == script.name for slot in self._slots):
            raise ValueError(f"there is a script named {script.name} already")
        self._own.append(_Slot(script))

    def next_name(self) -> str:
        """A name for a script that was given none."""
        return f"script-{len(self._own) + 1}"

    def match(self, prompt: Prompt) -> tuple[Script, ScriptedReply] | None:
        """The script that answers a call, and its answer, claimed at once; None if none does."""
        self.calls[prompt.path] += 1
        if not self._own and not self._given:
            return None
        for slot in self._slots:
            if slot.used >= slot.script.times or not slot.script.when.fits(prompt):
                continue
            if not self._has_happened(slot.script.when.after, prompt):
                continue
            slot.seen += 1
            if slot.script.when.call not in {None, slot.seen}:
                continue
            slot.used += 1
            replies = slot.script.replies
            return slot.script, replies[min(slot.used, len(replies)) - 1]
        return None

    def _has_happened(self, after: tuple[str, str] | None, prompt: Prompt) -> bool:
        if after is None:
            return True
        kind, name = after
        if kind == "signal":
            return name in self.signals
        if kind == "script":
            return any(slot.used for slot in self._slots if slot.script.name == name)
        return self.calls[name] > (1 if prompt.path == name else 0)

    def unused(self) -> list[str]:
        """Names of the scripts that were not used as often as they should be."""
        return [slot.script.name for slot in self._slots if slot.used < slot.wanted]

    def to_json(self) -> list[dict[str, Any]]:
        """All scripts in the order in which they are tried, and how often each was used."""
        return [
            {
                "name": slot.script.name,
                "model": slot.script.when.model,
                "text": slot.script.when.text,
                "used": slot.used,
                "wanted": slot.wanted,
                "optional": slot.script.optional,
            }
            for slot in self._slots
        ]

    def hold(self, name: str) -> asyncio.Event:
        """What is set when a hold is released."""
        return self._holds.setdefault(name, asyncio.Event())

    def release_all(self) -> None:
        """Let everyone go who waits."""
        for one in self._holds.values():
            one.set()
