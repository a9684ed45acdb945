"""Waiting for a condition, with a memory of what was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Generic, Required, TypedDict, TypeVar

from stackproof.errors import WaitStalled, WaitTimeout, WrongEnd
from stackproof.waiting.clock import CLOCK, Clock, Deadline

T = TypeVar("T")

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.5
BACK_OFF = 1.3

WATCH_PAUSE = 0.5
"""Seconds between two looks at what could make a wait pointless."""

LONGEST_ANSWER = 400
"""Characters of an answer that a trace keeps."""

FIRST_ANSWERS, LAST_ANSWERS = 10, 30
"""Lines that a trace keeps; of a longer one the middle is left out."""


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


_WATCH: ContextVar[Callable[[], object]] = ContextVar("watch", default=lambda: None)


@contextmanager
def watched_by(watch: Callable[[], object]) -> Iterator[None]:
    """Let all waits in a `with` block end with what `watch` raises, unless they say otherwise."""
    token = _WATCH.set(watch)
    try:
        yield
    finally:
        _WATCH.reset(token)


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
    watch: Callable[[], object]

    def __post_init__(self) -> None:
        self._watched_at = 0.0
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
            self._watch(waited)
            self.deadline.clock.sleep(min(pause, max(self.deadline.left, 0.001)))
            pause = min(pause * BACK_OFF, LONGEST_PAUSE)

    def _watch(self, waited: float) -> None:
        if not self._watched_at or waited - self._watched_at >= WATCH_PAUSE:
            self._watched_at = waited
            self.watch()

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


class WaitOptions(TypedDict, Generic[T], total=False):
    """The arguments of `wait_until` beside the condition, for functions that pass them on."""

    timeout: Required[float]
    what: Required[str]
    until: Callable[[T], object]
    failed: Callable[[T], object] | None
    stall_after: float | None
    progress: Callable[[T], object]
    steady_for: float
    retry_on: tuple[type[Exception], ...]
    watch: Callable[[], object] | None
    clock: Clock


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
    watch: Callable[[], object] | None = None,
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
        watch: Called between answers, twice a second; what it raises ends the wait. If not given,
            the services of the stack that the test uses are watched.
        clock: Time and sleep.

    Returns:
        The first answer that was waited for; with `steady_for`, the last one.

    Raises:
        WrongEnd: As soon as `failed` says so.
        WaitStalled: If nothing has changed for too long.
        WaitTimeout: If time is up. All three have each distinct answer seen, oldest first.
    """
    bounds = (stall_after, steady_for, retry_on, Deadline(timeout, clock), watch or _WATCH.get())
    return _Wait(condition, what, until, failed, progress, *bounds).run()
