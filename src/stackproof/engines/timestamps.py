"""How moments are written in logs and events; the supervisor loads it, so it imports little."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


def timestamp(seconds: float | None = None) -> str:
    """A wall-clock time as ISO 8601 in UTC with microseconds."""
    moment = time.time() if seconds is None else seconds
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{whole}.{int(moment % 1 * 1_000_000):06d}Z"


CORRECTION = 0.5
"""Seconds by which a time server may correct a clock in one step."""


@dataclass(frozen=True)
class Moment:
    """When something began: its slice of the logs is whole though the clock is set meanwhile.

    Attributes:
        wall: Seconds since the epoch, as this machine's clock then said.
        monotonic: Seconds of the clock that nobody can set.
    """

    wall: float = field(default_factory=time.time)
    monotonic: float = field(default_factory=time.monotonic)

    def earliest(self) -> str:
        """The earliest time that a line since then can have.

        If the clock was set back, lines carry times from before the beginning.
        """
        return timestamp(min(self.wall, self._by_the_present_clock()))

    def was_set_back(self) -> bool:
        """Whether the clock was set back since, by more than its usual corrections."""
        return self._by_the_present_clock() < self.wall - CORRECTION

    def _by_the_present_clock(self) -> float:
        return time.time() - (time.monotonic() - self.monotonic)
