"""Things that are watched, the sources that tell of them, and the watch over their end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from stackproof.errors import ConfigError, IllegalHistory
from stackproof.oracle.checks import find_problems
from stackproof.oracle.drawing import draw
from stackproof.oracle.machine import StateMachine
from stackproof.oracle.observation import Kind, Observation, Problem
from stackproof.waiting import CLOCK, Clock, wait_until

LOOKING_SECONDS = 60.0
"""What looking may take beyond the linger period itself."""


@dataclass(frozen=True)
class Source:
    """One that tells of a thing; each poller and each stream is a source of its own.

    Attributes:
        watch: The thing.
        name: What it is called in the trace.
        kind: What it promises.
    """

    watch: Watch
    name: str
    kind: Kind

    def saw(
        self,
        state: str | None,
        *,
        order: int | None = None,
        at: float | datetime | None = None,
        **fields: Any,
    ) -> None:
        """Note what the source has told; judged by `check`.

        Args:
            state: The state; None where it told fields only.
            order: The source's own number of it, such as an event's id. With it, observations may
                arrive in any order and more than once.
            at: When: seconds of the clock, or a time with zone; now if not given.
            fields: What else it told.
        """
        self.watch.note(self, state, order=order, at=at, fields=fields)


@dataclass
class Watch:
    """A thing that is watched.

    Attributes:
        machine: What it may go through.
        name: Which one, such as its id.
        look: Looks at it once more, and notes what is seen; None where its end is not watched.
        clock: Time.
        wall: Seconds since the epoch, for times that a source tells itself.
        observations: What was seen, in the order in which it was noted.
    """

    machine: StateMachine
    name: str
    look: Callable[[], object] | None = None
    clock: Clock = CLOCK
    wall: Callable[[], float] = time.time
    observations: list[Observation] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._began = self.clock.now()
        self._sources: dict[str, Source] = {}
        self._latest: dict[str, Observation] = {}
        self._lock = threading.Lock()

    def polled(self, source: str = "poll") -> Source:
        """A source that is asked how the thing is: it may miss short states."""
        return self._source(source, Kind.POLL)

    def recorded(self, source: str, *, whole: bool = True) -> Source:
        """A source that tells every change once and in order.

        Args:
            source: Its name.
            whole: Whether it is read from the beginning on.
        """
        return self._source(source, Kind.RECORD if whole else Kind.TAIL)

    def notified(self, source: str) -> Source:
        """A source that tells some changes, perhaps late, twice or out of order."""
        return self._source(source, Kind.NOTICE)

    def _source(self, name: str, kind: Kind) -> Source:
        found = self._sources.setdefault(name, Source(self, name, kind))
        if found.kind is not kind:
            raise ConfigError(
                f"{name} of {self.title} can't be a {found.kind.value} and a {kind.value}"
            )
        return found

    def note(
        self,
        source: Source,
        state: str | None,
        *,
        order: int | None,
        at: float | datetime | None,
        fields: dict[str, Any],
    ) -> None:
        """Add an observation; sources call it, from any thread."""
        with self._lock:
            before = self._latest.get(source.name)
            seen = Observation(
                source=source.name,
                kind=source.kind,
                number=before.number + 1 if before else 1,
                at=self._moment(at),
                state=state,
                fields=fields,
                order=order,
                asked=before.at if before else float("-inf"),
            )
            self._latest[source.name] = seen
            self.observations.append(seen)

    def _moment(self, at: float | datetime | None) -> float:
        if isinstance(at, datetime):
            return self.clock.now() + at.timestamp() - self.wall()
        return self.clock.now() if at is None else at

    @property
    def title(self) -> str:
        """What it is called in texts."""
        return f"{self.machine.name} {self.name}"

    def problems(self) -> list[Problem]:
        """What is wrong with what was seen so far."""
        with self._lock:
            seen = list(self.observations)
        return find_problems(self.machine, seen)

    def drawing(self) -> list[str]:
        """What was seen so far, as lines of a timeline."""
        problems = self.problems()
        return [f"{self.title}:", *draw(self.observations, problems, began=self._began)]

    def check(self) -> None:
        """Fail if anything that was seen is illegal.

        Raises:
            IllegalHistory: With each problem and the timeline.
        """
        texts = [problem.text for problem in self.problems()]
        if texts:
            raise IllegalHistory(self.title, problems=texts, drawing=self.drawing())

    def settle(self) -> None:
        """If it has ended, look at it until its linger period is over; then check.

        Raises:
            IllegalHistory: If it did not stay ended, or anything else is wrong.
        """
        ends = [
            observation.at
            for observation in self.observations
            if observation.state in self.machine.terminal
        ]
        if ends and self.look is not None and not self.problems():
            until = min(*ends, self.clock.now()) + self.machine.linger
            wait_until(
                lambda: self._look_again() or self.clock.now() >= until,
                timeout=self.machine.linger + LOOKING_SECONDS,
                what=f"the linger period of {self.title} is over",
                clock=self.clock,
            )
        self.check()

    def _look_again(self) -> bool:
        """Look once more; tells whether something is wrong."""
        before = len(self.observations)
        try:
            if self.look is not None:
                self.look()
        except Exception as error:  # whatever it is, the end could not be watched
            text = f"watching it failed: {type(error).__name__}: {error}"
            raise IllegalHistory(self.title, problems=[text], drawing=self.drawing()) from error
        if len(self.observations) == before:
            raise ConfigError(
                f"`look` of {self.title} recorded no observation", remedy="call `saw` in it"
            )
        return bool(self.problems())


@dataclass
class Oracle:
    """The things that a test watches.

    Attributes:
        clock: Time.
        watches: What is watched.
    """

    clock: Clock = CLOCK
    watches: list[Watch] = field(default_factory=list)

    def watch(
        self, machine: StateMachine, name: str, *, look: Callable[[], object] | None = None
    ) -> Watch:
        """Watch a thing; the same one again gives the watch that there is.

        Args:
            machine: What it may go through.
            name: Which one, such as its id.
            look: Looks at it once more, and notes what is seen with `saw`. At the end of the test
                it is called until a terminal state has stayed for the linger period.
        """
        for watch in self.watches:
            if (watch.machine, watch.name) == (machine, name):
                watch.look = look or watch.look
                return watch
        made = Watch(machine, name, look, self.clock)
        self.watches.append(made)
        return made

    def check(self) -> None:
        """Fail if anything that was seen of any thing is illegal.

        Raises:
            IllegalHistory: For the first such thing.
        """
        for watch in self.watches:
            watch.check()

    def settle(self) -> None:
        """Watch all that has ended to the end of its linger period; then check everything.

        Raises:
            IllegalHistory: For the first thing that did not stay ended, or went wrong before.
        """
        for watch in self.watches:
            watch.settle()

    def drawing(self) -> list[str]:
        """All that was seen, a timeline for each thing."""
        return [line for watch in self.watches for line in watch.drawing()]
