"""What is told while services are waited for, and which one is to blame when the time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

LONGEST_SILENCE = 4.0
"""Seconds after which it is said again what is waited for, though nothing has changed.

Less than `waiting.silence.SILENCE`, so that the reminder of a whole step does not repeat it."""


@dataclass(frozen=True)
class Awaited:
    """A service that is not ready.

    Attributes:
        name: Its name.
        has_begun: Whether it runs; otherwise it waits for others.
        doing: What it waits for, or its probe's last answer.
    """

    name: str
    has_begun: bool
    doing: str

    def __str__(self) -> str:
        last = (self.doing.strip().splitlines() or [""])[-1]  # where Python has the reason
        return f"{self.name} ({last})"


class Progress:
    """Tells how a start goes on, with the seconds that it has taken.

    Args:
        say: Takes each line.
        seconds: How long the services may take.
        now: Monotonic seconds.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        seconds: float,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say = say
        self._seconds = seconds
        self._now = now
        self._began = self._told_at = now()
        self._told = ""

    @property
    def waited(self) -> float:
        """Seconds since the begin."""
        return self._now() - self._began

    def tell(self, line: str) -> None:
        """Say that something has happened."""
        self._say(f"{self.waited:6.1f} s  {line}")
        self._told_at = self._now()

    def overdue(self, services: Sequence[Awaited]) -> Awaited | None:
        """Say what is waited for.

        Returns:
            When the time is up, the service to blame: one that runs and is not ready, rather than
            one that waits for it.
        """
        if services and self.waited > self._seconds:
            return next((service for service in services if service.has_begun), services[0])
        line = "; ".join(map(str, services))
        if line and (line != self._told or self._now() - self._told_at >= LONGEST_SILENCE):
            self.tell(f"waiting for {line}")
            self._told = line
        return None
