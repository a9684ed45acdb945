"""Waits for sockets and for moments, and calls who asked for them.

Standard library only, and no coroutines, since what is passed on through it must not be slow.
"""

from __future__ import annotations

import heapq
import itertools
import select
import time
from collections.abc import Callable

READ, WRITE = select.EPOLLIN, select.EPOLLOUT


class Loop:
    """One thread's sockets and appointments."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._new: set[int] = set()
        self._appointments: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def watch(self, number: int, mask: int, callback: Callable[[int], None]) -> None:
        """Call back with a descriptor's number when an event of the mask has happened to it."""
        self._poll.register(number, mask)
        self._callbacks[number] = callback
        self._new.add(number)

    def change(self, number: int, mask: int) -> None:
        """Ask for other events of a watched descriptor."""
        self._poll.modify(number, mask)

    def forget(self, number: int) -> None:
        """Watch a descriptor no more; to be called before it is closed."""
        if self._callbacks.pop(number, None) is not None:
            self._poll.unregister(number)

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call something when so many seconds have passed."""
        heapq.heappush(self._appointments, (time.monotonic() + seconds, next(self._count), call))

    def serve(self) -> None:
        """Go on for ever."""
        while True:
            self.step()

    def step(self) -> None:
        """Wait for something to happen, and call who asked for it."""
        self._new.clear()
        for number, _ in self._poll.poll(self._time_left()):
            # the number may stand for another socket already, whose events come the next time
            if number in self._callbacks and number not in self._new:
                self._callbacks[number](number)
        now = time.monotonic()
        while self._appointments and self._appointments[0][0] <= now:
            heapq.heappop(self._appointments)[2]()

    def _time_left(self) -> float | None:
        if not self._appointments:
            return None
        return max(0.0, self._appointments[0][0] - time.monotonic())
