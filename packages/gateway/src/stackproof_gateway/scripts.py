"""Scripted replies: when a call fits, what to answer, and what has been used for a test so far."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stackproof_gateway.conditions import When
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.prompt import Prompt
from stackproof_gateway.replies import BuiltInUse, Reply, Thought

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

    def stop_at(self, number: int) -> str:
        """What ends a stream before its event of a number: `cut`, `error`; empty if nothing."""
        if number == self.cut_after:
            return "cut"
        return "error" if number == self.error_after else ""


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
        reasoning: What the model thinks first; None for a thought of the gateway's own.
        built_in: Tools that the provider or an MCP server ran meanwhile.
    """

    reply: Reply | None = None
    error: ProviderError | None = None
    unit: str = "surface"
    usage: dict[str, int] | None = None
    pacing: Pacing = AT_ONCE
    reasoning: tuple[Thought, ...] | None = None
    built_in: tuple[BuiltInUse, ...] = ()

    @property
    def special(self) -> set[str]:
        """What it says that few endpoints have a form for."""
        reply = self.reply or Reply(None)
        said = {"built_in": self.built_in, "items": reply.items, "annotations": reply.annotations}
        return {name for name, value in said.items() if value}


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

    def hides(self, later: Script) -> bool:
        """Whether it answers every call that a later script could answer."""
        return self.times == ENDLESS and self.when.covers(later.when)

    @property
    def holds(self) -> set[str]:
        """Names of the holds of its answers."""
        return {reply.pacing.hold for reply in self.replies if reply.pacing.hold is not None}


@dataclass
class _Slot:
    script: Script
    owner: str = ""
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
        self._added = 0
        self._given = [_Slot(script) for script in self.defaults]
        self._holds: dict[str, asyncio.Event] = {}

    @property
    def _slots(self) -> list[_Slot]:
        return self._own + self._given

    def add(self, script: Script, owner: str = "") -> str | None:
        """Take a script of a test, which goes before those of the start.

        Args:
            script: The script.
            owner: The lease of the run that it goes with; empty if it stays.

        Returns:
            Why it can never answer, as long as the other scripts of its owner stand; None if it
            can.

        Raises:
            ValueError: If there is one of this name.
        """
        if any(slot.script.name == script.name for slot in self._slots):
            raise ValueError(f"a script named {script.name} exists already")
        earlier = [slot.script for slot in self._own if slot.owner == owner]
        self._own.append(_Slot(script, owner))
        self._added += 1
        return unreachable(script, earlier)

    def remove(self, script: Script) -> None:
        """Forget a script of a test, and let go the calls that only it holds."""
        self._own = [slot for slot in self._own if slot.script is not script]
        still_used = {name for slot in self._slots for name in slot.script.holds}
        for name in script.holds - still_used:
            self.hold(name).set()
            self.forget_hold(name)

    def next_name(self) -> str:
        """A name for a script that was given none."""
        return f"script-{self._added + 1}"

    def match(
        self, prompt: Prompt, headers: Mapping[str, str]
    ) -> tuple[Script, ScriptedReply] | None:
        """The script that answers a call, and its answer, claimed at once; None if none does."""
        self.calls[prompt.path] += 1
        if not self._own and not self._given:
            return None
        for slot in self._slots:
            if slot.used >= slot.script.times or not slot.script.when.fits(prompt, headers):
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
                "model": slot.script.when.written("model") or "*",
                "text": slot.script.when.written("text"),
                "used": slot.used,
                "wanted": slot.wanted,
                "optional": slot.script.optional,
            }
            for slot in self._slots
        ]

    def hold(self, name: str) -> asyncio.Event:
        """What is set when a hold is released."""
        return self._holds.setdefault(name, asyncio.Event())

    def forget_hold(self, name: str) -> None:
        """Hold later calls again."""
        self._holds.pop(name, None)

    def release_all(self) -> None:
        """Let everyone go who waits."""
        for released in self._holds.values():
            released.set()


def unreachable(script: Script, earlier: Sequence[Script]) -> str | None:
    """Why a script can never answer; None if it can.

    Args:
        script: The script.
        earlier: Those that are tried before it.
    """
    hiding = next((before for before in earlier if before.hides(script)), None)
    if hiding is None:
        return None
    return (
        f"script {script.name} can never answer: {hiding.name} is before it and answers all its "
        f"calls, since the first script that fits wins. Put {script.name} first, or give "
        f"{hiding.name} `times` or narrower conditions."
    )
