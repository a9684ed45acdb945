"""Time as a value: a clock that tests bring themselves, and deadlines on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Clock:
    """Time and sleep as values, so that tests bring their own.

    Attributes:
        now: Monotonic seconds.
        sleep: Pause for some seconds.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


CLOCK = Clock()
"""The machine's own."""


@dataclass
class Deadline:
    """A point in monotonic time.

    Attributes:
        seconds: How long it is away when it is made.
        clock: Whose time it is.
    """

    seconds: float
    clock: Clock = CLOCK
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock.now()

    @property
    def waited(self) -> float:
        """Seconds since it was made."""
        return self.clock.now() - self.started

    @property
    def left(self) -> float:
        """Seconds that are left, never below 0."""
        return max(0.0, self.seconds - self.waited)

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return self.waited >= self.seconds
