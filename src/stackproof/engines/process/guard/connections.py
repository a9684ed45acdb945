"""Connections that are passed on, both ways, between clients and a server.

Data wait for whoever reads slowly, each direction is closed for itself, and a connection that
breaks is reset on the other side too. Standard library only, since the guard loads this module.
"""

from __future__ import annotations

import contextlib
import socket

from stackproof.engines.process.guard.loop import READ, WRITE, Loop
from stackproof.engines.process.guard.sockets import prepare, reset

CHUNK = 256 * 1024


class End:
    """One side of a connection.

    Attributes:
        socket: Its socket.
        other: The other side.
        pending: What it has still to be sent.
        has_ended: Nothing more will come from it.
        is_deaf: Nothing more can be sent to it.
        mask: The events that are asked for.
    """

    __slots__ = ("has_ended", "is_deaf", "is_server", "mask", "other", "pending", "socket")

    def __init__(self, link: socket.socket, *, is_server: bool) -> None:
        self.socket = link
        self.is_server = is_server
        self.other = self
        self.pending = b""
        self.has_ended = self.is_deaf = False
        self.mask = 0


class Connections:
    """All connections that are open.

    Args:
        loop: Tells on which sockets something has happened.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._ends: dict[int, End] = {}
        self._buffer = memoryview(bytearray(CHUNK))

    def join(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on what either side sends from now on."""
        for link in (client, server):
            prepare(link)
        near, far = End(client, is_server=False), End(server, is_server=True)
        near.other, far.other = far, near
        for end in (near, far):
            self._ends[end.socket.fileno()] = end
            self._ask_for(end)

    def _ask_for(self, end: End) -> None:
        """Have the events told that matter now; no event at all is asked for where none does."""
        reads = not end.has_ended and not end.other.pending
        mask = (READ if reads else 0) | (WRITE if end.pending else 0)
        if mask == end.mask:
            return
        number = end.socket.fileno()
        if not end.mask:
            self._loop.watch(number, mask, self._serve)
        elif mask:
            self._loop.change(number, mask)
        else:
            self._loop.forget(number)
        end.mask = mask

    def _serve(self, number: int) -> None:
        end = self._ends[number]
        if end.pending:
            rest = self._send(end, end.pending)
            if rest is None:
                return
            end.pending = rest
            if not rest:
                self._settle(end)
        if end.mask & READ and not end.other.pending:
            self._read(end)

    def _read(self, end: End) -> None:
        try:
            size = end.socket.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError:
            self._drop(end, broken=True)
            return
        if size == 0:
            end.has_ended = True
            self._settle(end.other)
            return
        rest = self._send(end.other, self._buffer[:size])
        if rest:
            end.other.pending = rest
            self._ask_for(end.other)
            self._ask_for(end)

    def _send(self, end: End, data: bytes | memoryview) -> bytes | None:
        """Send what is taken at once, and give the rest; None if the connection was dropped."""
        if end.is_deaf:
            return b""
        try:
            sent = end.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            if not end.is_server:
                self._drop(end, broken=True)
                return None
            end.is_deaf = True  # its last words may still be read
            return b""
        return b"" if sent == len(data) else bytes(data[sent:])

    def _settle(self, end: End) -> None:
        """Pass on the end of the other side once everything was sent."""
        if end.other.has_ended and not end.pending and not end.is_deaf:
            with contextlib.suppress(OSError):
                end.socket.shutdown(socket.SHUT_WR)
            end.is_deaf = True
        if end.has_ended and end.other.has_ended and not end.pending and not end.other.pending:
            self._drop(end, broken=False)
            return
        self._ask_for(end)
        self._ask_for(end.other)

    def _drop(self, end: End, *, broken: bool) -> None:
        for side in (end, end.other):
            self._ends.pop(side.socket.fileno(), None)
            self._loop.forget(side.socket.fileno())
            side.mask = 0
            if broken and not side.is_server:
                reset(side.socket)
            else:
                side.socket.close()
