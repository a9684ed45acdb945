"""Connections that are passed on late, or no faster than so many bytes a second.

Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from stackproof.engines.process.guard.loop import READ, WRITE, Loop
from stackproof.engines.process.guard.sockets import prepare, reset

CHUNK = 64 * 1024
MOST_UNDERWAY = 4 * 1024 * 1024
"""Bytes that are underway in one direction before no more are read."""

PARTS = 20
"""So many parts a second a bounded rate is kept in."""


class Pace(NamedTuple):
    """How a connection is held up, the same in both directions.

    Attributes:
        delay: Seconds that everything takes longer.
        jitter: Seconds by which the delay varies, up and down.
        rate: Bytes a second; 0 for no bound.
    """

    delay: float = 0.0
    jitter: float = 0.0
    rate: float = 0.0

    @property
    def chunk(self) -> int:
        """Bytes that are read at once."""
        return max(1, min(CHUNK, int(self.rate / PARTS))) if self.rate else CHUNK


class Direction:
    """What goes one way, the end of it last.

    Args:
        source: Where it comes from.
        target: Where it goes to.

    Attributes:
        underway: When each part is due, and the part; an empty one is the end.
        size: Bytes underway.
        has_ended: Whether the source has said its last.
        is_awaited: Whether the loop comes back for the next part.
        is_over: Whether the target was told the end.
    """

    def __init__(self, source: socket.socket, target: socket.socket) -> None:
        self.source = source
        self.target = target
        self.underway: deque[tuple[float, bytes]] = deque()
        self.size = 0
        self.has_ended = self.is_awaited = self.is_over = False
        self._free_at = self._last_due = 0.0

    def take(self, data: bytes, pace: Pace, now: float) -> None:
        """Let a part set out; none overtakes what came before it."""
        begin = max(now, self._free_at)
        self._free_at = begin + len(data) / pace.rate if pace.rate else begin
        late = pace.delay + pace.jitter * _between_minus_one_and_one()
        self._last_due = max(self._last_due, self._free_at + max(0.0, late))
        self.underway.append((self._last_due, data))
        self.size += len(data)
        self.has_ended = not data


class SlowConnection:
    """A connection that is held up until either side ends it.

    Args:
        loop: Tells when something happens.
        client: One side.
        server: The other.
        pace: How it is held up now.
    """

    def __init__(
        self, loop: Loop, client: socket.socket, server: socket.socket, pace: Callable[[], Pace]
    ) -> None:
        self._loop = loop
        self._pace = pace
        self._ways = Direction(client, server), Direction(server, client)
        self._masks = {client.fileno(): 0, server.fileno(): 0}
        for link in (client, server):
            prepare(link)
        self._settle()

    def _serve(self, number: int) -> None:
        for way in self._ways:
            if way.target.fileno() == number and not way.is_awaited:
                self._deliver(way)
        for way in self._ways:
            if way.source.fileno() == number and _wants_more(way):
                self._read(way)
        self._settle()

    def _read(self, way: Direction) -> None:
        pace = self._pace()
        try:
            data = way.source.recv(pace.chunk)
        except BlockingIOError:
            return
        except OSError:
            self._break()
            return
        way.take(data, pace, time.monotonic())
        self._await(way)

    def _await(self, way: Direction) -> None:
        if way.underway and not way.is_awaited:
            way.is_awaited = True
            wait = max(0.0, way.underway[0][0] - time.monotonic())
            self._loop.later(wait, partial(self._come_back, way))

    def _come_back(self, way: Direction) -> None:
        way.is_awaited = False
        if self._masks:
            self._deliver(way)
            self._settle()

    def _deliver(self, way: Direction) -> None:
        """Let arrive what is due, as far as it is taken."""
        while way.underway and way.underway[0][0] <= time.monotonic():
            due, data = way.underway.popleft()
            if not data:
                with contextlib.suppress(OSError):
                    way.target.shutdown(socket.SHUT_WR)
                way.is_over = True
                return
            try:
                sent = way.target.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._break()
                return
            way.size -= sent
            if sent < len(data):
                way.underway.appendleft((due, data[sent:]))
                return  # until the target takes more
        self._await(way)

    def _settle(self) -> None:
        """Ask for the events that matter now, and end what is over."""
        if all(way.is_over for way in self._ways):
            self._close()
        for way, back in (self._ways, self._ways[::-1]):
            number = way.source.fileno()
            if number not in self._masks:
                continue  # it is closed
            is_held_up = bool(back.underway) and not back.is_awaited
            mask = (READ if _wants_more(way) else 0) | (WRITE if is_held_up else 0)
            if mask != self._masks[number]:
                self._loop.forget(number)
                if mask:
                    self._loop.watch(number, mask, self._serve)
                self._masks[number] = mask

    def _break(self) -> None:
        """End both sides so that each sees that the connection broke."""
        self._close(reset)

    def _close(self, end: Callable[[socket.socket], None] = socket.socket.close) -> None:
        for number in self._masks:
            self._loop.forget(number)
        self._masks.clear()
        for way in self._ways:
            end(way.source)


def _between_minus_one_and_one() -> float:
    """A number by chance; the module for that costs more to load than all of this one."""
    return int.from_bytes(os.urandom(4)) / (1 << 31) - 1


def _wants_more(way: Direction) -> bool:
    return not way.has_ended and way.size < MOST_UNDERWAY
