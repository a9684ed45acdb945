"""Waiting for a condition, with a monotonic deadline and a memory of what was seen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from stackproof.errors import WaitStalled, WaitTimeout, WrongEnd

T = TypeVar("T")

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.5
BACK_OFF = 1.3

LONGEST_ANSWER = 400
"""Characters of an answer that a trace keeps."""

FIRST_ANSWERS, LAST_ANSWERS = 10, 30
"""Lines that a trace keeps; of a longer one the middle is left out."""


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


class Trace:
    """Each distinct answer that a wait has got, with its time.

    Args:
        deadline: Tells the time since the wait began.
    """

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._lines: list[str] = []
        self._latest: str | None = None

    def note(self, answer: str) -> None:
        """Remember an answer, unless it is the same as the one before."""
        if answer == self._latest:
            return
        self._latest = answer
        shown = answer if len(answer) <= LONGEST_ANSWER else answer[:LONGEST_ANSWER] + " …"
        self._lines.append(f"{self._deadline.waited:6.2f} s  {shown}")

    def lines(self) -> list[str]:
        """The answers, oldest first, bounded in number."""
        left_out = len(self._lines) - FIRST_ANSWERS - LAST_ANSWERS
        if left_out <= 0:
            return list(self._lines)
        note = f"          … {left_out} further answers …"
        return [*self._lines[:FIRST_ANSWERS], note, *self._lines[-LAST_ANSWERS:]]


@dataclass
class _Wait(Generic[T]):
    """One wait; `wait_until` says what its parts mean."""

    condition: Callable[[], T]
    what: str
    until: Callable[[T], object]
    failed: Callable[[T], object] | None
    progress: Callable[[T], object]
    stall_after: float | None
    steady_for: float
    retry_on: tuple[type[Exception], ...]
    deadline: Deadline

    def __post_init__(self) -> None:
        self.trace = Trace(self.deadline)
        self._right_since: float | None = None
        self._progress: object = None
        self._progress_at = 0.0

    def run(self) -> T:
        pause = FIRST_PAUSE
        while True:
            last_look = self.deadline.passed
            found = self._look()
            if found is not None:
                return found[0]
            waited = self.deadline.waited
            if last_look:
                raise WaitTimeout(self.what, waited=waited, trace=self.trace.lines())
            self._check_stall(waited)
            self.deadline.clock.sleep(min(pause, max(self.deadline.left, 0.001)))
            pause = min(pause * BACK_OFF, LONGEST_PAUSE)

    def _look(self) -> tuple[T] | None:
        """Ask once; gives the answer if it is the one that is waited for."""
        try:
            value = self.condition()
        except self.retry_on as error:  # no progress either
            self._right_since = None
            self.trace.note(f"{type(error).__name__}: {error}")
            return None
        if self.until(value):
            return self._steady(value)
        self._right_since = None
        self.trace.note(repr(value))
        if self.failed is not None and self.failed(value):
            text = f"{self.what}: it ended in another way after {self.deadline.waited:.1f} s"
            raise WrongEnd(text, waited=self.deadline.waited, trace=self.trace.lines())
        self._note_progress(self.progress(value))
        return None

    def _steady(self, value: T) -> tuple[T] | None:
        now = self.deadline.waited
        if self._right_since is None:
            self._right_since = now
        if now - self._right_since >= self.steady_for:
            return (value,)
        self.trace.note(repr(value))
        self._progress_at = now  # holding still is what is asked for now
        return None

    def _note_progress(self, progress: object) -> None:
        if progress != self._progress:
            self._progress, self._progress_at = progress, self.deadline.waited

    def _check_stall(self, waited: float) -> None:
        if self.stall_after is not None and waited - self._progress_at >= self.stall_after:
            text = f"{self.what}: nothing has changed for {waited - self._progress_at:.1f} s"
            raise WaitStalled(text, waited=waited, trace=self.trace.lines())


def wait_until(
    condition: Callable[[], T],
    *,
    timeout: float,
    what: str,
    until: Callable[[T], object] = bool,
    failed: Callable[[T], object] | None = None,
    stall_after: float | None = None,
    progress: Callable[[T], object] = repr,
    steady_for: float = 0.0,
    retry_on: tuple[type[Exception], ...] = (),
    clock: Clock = CLOCK,
) -> T:
    """Ask a condition until it is true, and give back what it said.

    Args:
        condition: Called again and again, at first every 20 ms, later up to every 0.5 s.
        timeout: Seconds to wait at the most.
        what: What is waited for, for the error text.
        until: Whether an answer is the one that is waited for; any true one if not given.
        failed: Whether an answer means that the right one can't come any more, such as another
            terminal state; it ends the wait at once.
        stall_after: Seconds without a change of the progress that end the wait; None: no bound.
        progress: What of an answer counts as progress; all of it if not given.
        steady_for: Seconds that right answers must go on without any other one in between.
        retry_on: Exceptions of the condition that count as "not yet"; all others end the wait.
        clock: Time and sleep.

    Returns:
        The first answer that was waited for; with `steady_for`, the last one.

    Raises:
        WrongEnd: As soon as `failed` says so.
        WaitStalled: If nothing has changed for too long.
        WaitTimeout: If time is up. All three have each distinct answer seen, oldest first.
    """
    deadline = Deadline(timeout, clock)
    wait = _Wait(
        condition, what, until, failed, progress, stall_after, steady_for, retry_on, deadline
    )
    return wait.run()
