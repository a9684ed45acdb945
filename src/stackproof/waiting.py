"""Waiting for a condition, with a monotonic deadline and a memory of what was seen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from stackproof.errors import WaitTimeout

T = TypeVar("T")

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.5
BACK_OFF = 1.3


@dataclass(frozen=True)
class Clock:
    """Time and sleep as values, so that tests bring their own.

    Attributes:
        now: Monotonic seconds.
        sleep: Pause for some seconds.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass
class Deadline:
    """A point in monotonic time.

    Attributes:
        seconds: How long it is away when it is made.
        clock: Whose time it is.
    """

    seconds: float
    clock: Clock = Clock()
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


def wait_until(
    condition: Callable[[], T],
    *,
    timeout: float,
    what: str,
    retry_on: tuple[type[Exception], ...] = (),
    clock: Clock = Clock(),
) -> T:
    """Ask a condition until it is true, and give back what it said.

    Args:
        condition: Called again and again, at first every 20 ms, later up to every 0.5 s.
        timeout: Seconds to wait at the most.
        what: What is waited for, for the error text.
        retry_on: Exceptions of the condition that count as "not yet"; all others end the wait.
        clock: Time and sleep.

    Returns:
        The first true value.

    Raises:
        WaitTimeout: With each distinct answer that was seen, oldest first.
    """
    deadline = Deadline(timeout, clock)
    trace: list[str] = []
    pause = FIRST_PAUSE
    while True:
        last_look = deadline.passed
        try:
            value = condition()
            answer = repr(value)
        except retry_on as error:
            value, answer = None, f"{type(error).__name__}: {error}"
        if value:
            return value
        if not trace or not trace[-1].endswith(answer):
            trace.append(f"{deadline.waited:6.2f} s  {answer}")
        if last_look:
            raise WaitTimeout(what, waited=deadline.waited, trace=trace)
        clock.sleep(min(pause, max(deadline.left, 0.001)))
        pause = min(pause * BACK_OFF, LONGEST_PAUSE)
