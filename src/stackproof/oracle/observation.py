"""What was seen of a thing, by whom, and how much that source can be relied on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Kind(Enum):
    """What a source promises, and so what may be concluded from it."""

    POLL = "poll"
    """Tells how the thing is while it is asked: may see a state twice, and miss short ones."""

    RECORD = "record"
    """Tells every change once and in order, such as an audit table or an event stream."""

    TAIL = "tail"
    """A record that is read from some moment on, such as a stream that was joined late."""

    NOTICE = "notice"
    """Tells some changes, perhaps late, twice or out of order, such as a webhook."""

    @property
    def is_strict(self) -> bool:
        """Whether it misses nothing, so that each step must be an allowed one."""
        return self in {Kind.RECORD, Kind.TAIL}


@dataclass(frozen=True)
class Observation:
    """One look at a thing.

    Attributes:
        source: Who saw it.
        kind: What the source promises.
        number: Counts the observations of its source in the order in which they came, from 1.
        at: When, in seconds on the oracle's clock.
        state: The state; None where the source told fields only.
        fields: What else was told.
        order: The source's own number of it; None where it has none.
        asked: The earliest moment that it can be true of, in the same seconds.
    """

    source: str
    kind: Kind
    number: int
    at: float
    state: str | None
    fields: Mapping[str, Any] = field(default_factory=dict)
    order: int | None = None
    asked: float = float("-inf")

    def __str__(self) -> str:
        number = "" if self.order is None else f"#{self.order} "
        told = " ".join(f"{name}={value!r}" for name, value in self.fields.items())
        return f"{number}{self.state or '·'}{'  ' + told if told else ''}"


@dataclass(frozen=True)
class Problem:
    """Something that must not be.

    Attributes:
        text: What, in a line.
        observation: The one that shows it.
    """

    text: str
    observation: Observation
