"""Why a test has probably failed: each service's first error, and what has happened to it since."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from stackproof.engines.base import LogLine, ServiceStatus
from stackproof.engines.events import ServiceEvent
from stackproof.engines.timestamps import timestamp
from stackproof.plan.model import Plan
from stackproof.stack.first_error import first_error

MOST_EVENTS = 6
"""Events of one service that are told; the rest are in the timeline."""

FIRST_ERROR = 400
LONGEST_REPLY = 300

NEWS = frozenset({"ended", "unhealthy", "paused", "stopped"})
"""Kinds of events that may explain a failure."""


class Fault(Protocol):
    """What failed on purpose."""

    @property
    def kind(self) -> str:
        """Its words, such as `fail-once`."""


class Call(Protocol):
    """A model call, as the gateway's journal has it."""

    time: float
    method: str
    path: str
    model: str
    status: int
    reply: str

    @property
    def fault(self) -> Fault | None:
        """What failed on purpose; None where nothing did."""


def verdict(
    plan: Plan,
    lines: Sequence[LogLine],
    events: Sequence[ServiceEvent],
    states: Sequence[ServiceStatus],
    calls: Sequence[Call] = (),
    *,
    began: float,
) -> list[str]:
    """What each service has done wrong since a test began, earliest first, one line each.

    Args:
        plan: The stack.
        lines: What its services wrote since then.
        events: What has happened to them since then.
        states: How they are now.
        calls: The test's model calls.
        began: When the test began, in seconds since the epoch; its fixtures came before.
    """
    found = [*_errors(plan, lines), *_happenings(events, states), *_failed(plan, calls)]
    return [f"{text} at {_offset(at, began)}{rest}" for at, text, rest in sorted(found)]


def _errors(plan: Plan, lines: Sequence[LogLine]) -> Iterator[tuple[str, str, str]]:
    for service in dict.fromkeys(line.service for line in lines):
        own = [line for line in lines if line.service == service]
        found = first_error([line.text for line in own], roots_of(plan, service))
        if found is not None:
            yield own[found.line].at, f"{service}: {found}", ""


def _failed(plan: Plan, calls: Sequence[Call]) -> Iterator[tuple[str, str, str]]:
    """Model calls that were answered with an error; one that was meant to fail is told as such."""
    failed = [call for call in calls if call.status >= FIRST_ERROR]
    for call in failed[:MOST_EVENTS]:
        why = f"on purpose ({call.fault.kind})" if call.fault else _short(call.reply)
        asked = f"{call.method} {call.path} {call.model}".rstrip()
        rest = f" to {asked}: {why}" if why else f" to {asked}"
        yield timestamp(call.time), f"{plan.gateway_service}: answered {call.status}{rest}", ""


def _short(text: str) -> str:
    return textwrap.shorten(text, LONGEST_REPLY, placeholder=" …")


def roots_of(plan: Plan, service: str) -> list[str]:
    """Folders of a service's source, deepest first: they say nothing in front of a place."""
    planned = next((known for known in plan.services if known.name == service), None)
    if planned is None:
        return []
    roots = {str(planned.working_dir or ""), str(getattr(planned.runtime, "project", ""))}
    return sorted(roots - {"", "/", "None"}, key=len, reverse=True)


def _happenings(
    events: Sequence[ServiceEvent], states: Sequence[ServiceStatus]
) -> Iterator[tuple[str, str, str]]:
    is_down = {state.name for state in states if state.state in {"exited", "failed", "stopped"}}
    for service in dict.fromkeys(event.service for event in events):
        own = [event for event in events if event.service == service]
        news = [event for event in own if event.kind in NEWS]
        for event in news[:MOST_EVENTS]:
            came_back = any(later.kind == "started" and later.at > event.at for later in own)
            rest = ", restarted" if came_back else ", not restarted" if service in is_down else ""
            yield event.at, f"{service}: {event}", rest if event.kind == "ended" else ""


def folded(lines: Iterable[LogLine]) -> Iterator[LogLine]:
    """Log lines, with those that repeat the one before as one line that counts them."""
    last: LogLine | None = None
    repeated = 0
    for line in lines:
        if last is not None and _is_repeated(line, last):
            repeated += 1
            last = line
            continue
        if last is not None and repeated:
            yield _count(last, repeated)
        yield line
        last, repeated = line, 0
    if last is not None and repeated:
        yield _count(last, repeated)


def _is_repeated(line: LogLine, last: LogLine) -> bool:
    return (line.service, line.stream, line.text) == (last.service, last.stream, last.text)


def _count(line: LogLine, repeated: int) -> LogLine:
    times = "once more" if repeated == 1 else f"{repeated} times more"
    return LogLine(line.at, line.service, line.stream, f"… ({times}, this one the last)")


def _offset(at: str, began: float) -> str:
    return f"{datetime.fromisoformat(at).timestamp() - began:+.1f} s"
