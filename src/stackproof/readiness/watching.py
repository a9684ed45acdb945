"""The one loop that waits for a service: its probe is asked until it answers well, and after that.

Both engines use it. Only the standard library is imported here, since the supervisor of the process
engine loads this module.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from stackproof.readiness.asking import Surroundings, ask
from stackproof.readiness.probes import (
    AliveProbe,
    CommandProbe,
    HealthTiming,
    ListeningProbe,
    LogProbe,
    Probe,
    SqlProbe,
    parts_of,
)

FIRST_PAUSE = 0.02
PAUSE_GROWTH = 1.3
LONGEST_WITHOUT_PROCESS = 0.1
"""Seconds between two checks of a starting service that need no process of their own."""

HOPELESS_EXITS = 3
"""Ends in a row, without having been ready, after which a restart policy is given no more time."""


class HealthWatch:
    """Asks a service often until it is ready, and once in an interval from then on.

    Args:
        probe: What is asked.
        timing: When, and how many failures count.
        around: The service's side of the probe.
        pause: Lets some time pass, or less where there is news that a check may depend on.
        doubt: Why a good answer of a starting service can't be its own; empty if it can.

    Attributes:
        health: `starting`, `healthy` or `unhealthy`.
        answer: What was wrong at the last check; empty after a good one.
        asked_for: Seconds between the service's start and the last check.
    """

    def __init__(
        self,
        probe: Probe,
        timing: HealthTiming,
        around: Surroundings,
        pause: Callable[[float], Awaitable[None]],
        doubt: Callable[[], str] = str,
    ) -> None:
        self.probe = probe
        self.timing = timing
        self.around = around
        self.pause = pause
        self.doubt = doubt
        self.health = "starting"
        self.answer = ""
        self.asked_for = 0.0
        self._failures = 0

    async def checks(self) -> AsyncIterator[str]:
        """Yields the health after each check; it is the caller's to stop."""
        pause, longest = FIRST_PAUSE, self._longest_pause()
        while True:
            await self._check()
            yield self.health
            if self.health == "starting":
                await self.pause(pause)
                pause = min(pause * PAUSE_GROWTH, longest)
            else:
                await asyncio.sleep(self.timing.interval)

    def _longest_pause(self) -> float:
        longest = max(self.timing.start_interval, FIRST_PAUSE)
        if any(isinstance(part, CommandProbe | SqlProbe) for part in parts_of(self.probe)):
            return longest
        return min(longest, LONGEST_WITHOUT_PROCESS)

    async def _check(self) -> None:
        try:
            async with asyncio.timeout(self.timing.timeout):
                answer = await ask(self.probe, self.around)
        except TimeoutError:
            answer = f"no answer within {self.timing.timeout:g} s"
        if self.health != "healthy":
            answer = answer or self.doubt()
        self.answer = answer
        self.asked_for = self.around.alive_for()
        self._failures = self._failures + 1 if answer else 0
        if not answer:
            self.health = "healthy"
        elif self._is_too_much():
            self.health = "unhealthy"

    def _is_too_much(self) -> bool:
        if self.health == "starting":
            return self.asked_for > self._allowed()
        return self._failures >= self.timing.retries

    def _allowed(self) -> float:
        """Seconds that a start may take; what has no health check has no retries."""
        if any(
            isinstance(part, AliveProbe | ListeningProbe | LogProbe)
            for part in parts_of(self.probe)
        ):
            return float("inf")
        return self.timing.start_period + self.timing.interval * self.timing.retries
