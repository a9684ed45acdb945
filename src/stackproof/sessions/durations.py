"""How long sessions take: kept from run to run, told before a run, shown after it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MINUTE = 60
LONGEST = 1e6
"""Seconds that no session takes; more is no time that was kept here."""


@dataclass(frozen=True)
class Ran:
    """A session that has run.

    Attributes:
        name: Its name.
        result: `success`, `failed`, `skipped` or `aborted`.
        seconds: How long it took.
    """

    name: str
    result: str
    seconds: float


def read(path: Path) -> dict[str, float]:
    """Seconds that each session took last; nothing where nobody knows.

    Args:
        path: The file that remembers them.
    """
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    numbers = {name: value for name, value in known.items() if isinstance(value, int | float)}
    return {name: float(value) for name, value in numbers.items() if 0 <= value < LONGEST}


def remember(path: Path, ran: Sequence[Ran]) -> None:
    """Keep how long the sessions took that have passed, beside what is known of others.

    Args:
        path: The file that remembers them.
        ran: What has run.
    """
    known = read(path) | {
        session.name: round(session.seconds, 1) for session in ran if session.result == "success"
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(known, indent=1, sort_keys=True), encoding="utf-8")
    draft.replace(path)


def forecast(names: Sequence[str], known: Mapping[str, float]) -> str:
    """What will run, and about how long it takes.

    Args:
        names: The sessions, in their order.
        known: Seconds that each one took last.
    """
    count = "1 session" if len(names) == 1 else f"{len(names)} sessions"
    shown = f"{count}: {', '.join(names)}"
    total = sum(known.get(name, 0.0) for name in names)
    unknown = [name for name in names if name not in known]
    if len(unknown) == len(names):
        return shown
    more = f", and {', '.join(unknown)}, whose time is not known yet" if unknown else ""
    return f"{shown}\nabout {duration(total)} by the last runs{more}"


def rows(ran: Sequence[Ran], known: Mapping[str, float]) -> list[tuple[str, ...]]:
    """The table of what has run, with the time of the run before.

    Args:
        ran: What has run.
        known: Seconds that each session took before.
    """
    found = [
        (
            session.name,
            session.result,
            duration(session.seconds),
            duration(known[session.name]) if session.name in known else "-",
        )
        for session in ran
    ]
    return [*found, ("total", "", duration(sum(session.seconds for session in ran)), "")]


def duration(seconds: float) -> str:
    """Seconds as a person reads them."""
    whole = round(seconds)
    return f"{whole} s" if whole < MINUTE else f"{whole // MINUTE} min {whole % MINUTE:02} s"
