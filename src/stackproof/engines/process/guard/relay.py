"""Passes TCP connections on to a server's Unix socket, as if the server listened itself.

While the server does not listen, the port refuses. Data wait for whoever reads slowly, each
direction is closed for itself, and a connection that breaks is reset on the other side too.
Standard library only, since the guard loads this module.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import struct
from collections import deque
from collections.abc import Callable

CHUNK = 256 * 1024
BACKLOG = 4096
AT_ONCE = 64
"""Connections that are accepted before the others get their turn again."""

PAUSE = 0.005
"""Seconds until a server that is not there, or has no room, is asked again."""

LONGEST_PAUSE = 0.05

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing resets the connection (socket(7))."""

_OUT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

Refuses = Callable[[tuple[str, int], tuple[str, int]], str]


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


class Relay:
    """Serves a port until it is ended.

    Args:
        port: A TCP socket that is bound, and does not listen yet.
        server: Path of the server's socket.
        refuses: Says whom a connection is refused to; empty where it is let in.
        say: Takes a line for the service's log.
    """

    def __init__(
        self, port: socket.socket, server: str, refuses: Refuses, say: Callable[[str], None]
    ) -> None:
        self._port = port
        self._address = port.getsockname()
        self._server = server
        self._refuses = refuses
        self._say = say
        self._said: set[str] = set()
        self._poll = select.epoll()
        self._ends: dict[int, End] = {}
        self._waiting: deque[socket.socket] = deque()
        self._buffer = memoryview(bytearray(CHUNK))
        self._is_open = False
        self._is_full = False
        self._pause = PAUSE
        port.setblocking(False)  # noqa: FBT003 - the standard library's signature

    def serve(self) -> None:
        """Go on for ever."""
        while True:
            self.step()

    def step(self) -> None:
        """Wait for something to happen, and do what it asks for."""
        if not self._is_open:
            self._open_if_there()
        elif self._is_full:
            self._poll.register(self._port, select.EPOLLIN)
            self._is_full = False
        self._connect_waiting()
        idle = self._is_open and not self._waiting and not self._is_full
        for number, _ in self._poll.poll(None if idle else self._pause):
            if number in self._ends:
                self._serve_end(self._ends[number])
            elif number == self._port.fileno():
                self._accept()

    # The port

    def _open_if_there(self) -> None:
        if self._is_there():
            if self._port.fileno() < 0:
                self._port = bound(self._address)
                self._port.setblocking(False)  # noqa: FBT003 - as above
            self._port.listen(BACKLOG)
            self._poll.register(self._port, select.EPOLLIN)
            self._is_open, self._pause = True, PAUSE
        else:
            self._pause = min(self._pause * 1.1, LONGEST_PAUSE)

    def _is_there(self) -> bool:
        """Whether the server listens."""
        try:
            self._connect().close()
        except OSError as error:
            return error.errno == errno.EAGAIN or error.errno in _OUT_OF_FILES
        return True

    def _look_for_server(self) -> None:
        """Whoever only looks whether the port is open must be told the truth the next time."""
        if not self._is_there():
            self._close_port()

    def _close_port(self) -> None:
        """Refuse from now on, and let go of the port, as the server has done."""
        if self._is_open:
            self._port.close()
            self._is_open = self._is_full = False

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                link, peer = self._port.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in _OUT_OF_FILES:
                    return  # that client has gone
                self._poll.unregister(self._port)
                self._is_full = True
                return
            link.setblocking(False)  # noqa: FBT003 - as above
            if self._lets_in(link, peer):
                self._waiting.append(link)
                self._connect_waiting()
            if not self._is_open:
                return

    def _lets_in(self, link: socket.socket, peer: tuple[str, int]) -> bool:
        try:
            whom = self._refuses(peer, link.getsockname())
        except OSError as error:
            whom = f"a user that can't be seen ({error})"
        if whom == "?":
            whom = "a client that has closed it already" if _has_sent(link) else ""
            self._look_for_server()
        elif not whom:
            return True
        _reset(link)
        if whom and whom not in self._said:
            self._said.add(whom)
            self._say(f"stackproof: refused a connection of {whom}")
        return False

    def _connect(self) -> socket.socket:
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            link.connect(self._server)
        except OSError:
            link.close()
            raise
        return link

    def _connect_waiting(self) -> None:
        while self._waiting:
            try:
                server = self._connect()
            except BlockingIOError:
                return  # its queue is full: the client waits, as in the server's own queue
            except OSError as error:
                if error.errno in _OUT_OF_FILES:
                    return
                while self._waiting:
                    _reset(self._waiting.popleft())
                self._close_port()
                return
            self._join(self._waiting.popleft(), server)

    def _join(self, client: socket.socket, server: socket.socket) -> None:
        for option in ((socket.IPPROTO_TCP, socket.TCP_NODELAY),
                       (socket.SOL_SOCKET, socket.SO_KEEPALIVE)):  # fmt: skip
            with contextlib.suppress(OSError):
                client.setsockopt(*option, 1)
        one, two = End(client, is_server=False), End(server, is_server=True)
        one.other, two.other = two, one
        for end in (one, two):
            self._ends[end.socket.fileno()] = end
            self._ask_for(end)

    # The connections

    def _ask_for(self, end: End) -> None:
        """Have the events told that matter now; no event at all is asked for where none does."""
        reads = not end.has_ended and not end.other.pending
        mask = (select.EPOLLIN if reads else 0) | (select.EPOLLOUT if end.pending else 0)
        if mask == end.mask:
            return
        if not end.mask:
            self._poll.register(end.socket, mask)
        elif mask:
            self._poll.modify(end.socket, mask)
        else:
            self._poll.unregister(end.socket)
        end.mask = mask

    def _serve_end(self, end: End) -> None:
        if end.pending:
            rest = self._send(end, end.pending)
            if rest is None:
                return
            end.pending = rest
            if not rest:
                self._settle(end)
        if end.mask & select.EPOLLIN and not end.other.pending:
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
        for one in (end, end.other):
            self._ends.pop(one.socket.fileno(), None)
            if one.mask:
                self._poll.unregister(one.socket)
                one.mask = 0
            if broken and not one.is_server:
                _reset(one.socket)
            else:
                one.socket.close()


def _has_sent(link: socket.socket) -> bool:
    """Whether there is something to be read on a connection."""
    try:
        return bool(link.recv(1, socket.MSG_PEEK))
    except OSError:
        return False


def _reset(link: socket.socket) -> None:
    with contextlib.suppress(OSError):
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    link.close()


def bound(address: tuple[str, int]) -> socket.socket:
    """A TCP socket that is bound, and does not listen yet.

    Raises:
        OSError: If somebody else has the port.
    """
    port = socket.socket()
    try:
        port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port.bind(address)
    except OSError:
        port.close()
        raise
    return port


def raise_file_limit() -> None:
    """Let this process have as many open files as it may: each connection takes two."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def write_line(text: str) -> None:
    """Write a line to the error output, which is the service's log."""
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode())
