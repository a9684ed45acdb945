"""Answers on a TCP port in place of a server that listens somewhere else.

While the server does not listen, the port refuses. Standard library only, since the guard loads
this module.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable

from stackproof.engines.process.guard.connections import Connections
from stackproof.engines.process.guard.loop import READ, WRITE, Loop
from stackproof.engines.process.guard.sockets import reset
from stackproof.engines.process.guard.targets import OUT_OF_FILES, Target, is_connected

BACKLOG = 4096
AT_ONCE = 64
"""Connections that are accepted before the others get their turn again."""

PAUSE = 0.005
"""Seconds until a server that is not there, or has no room, is asked again."""

LONGEST_PAUSE = 0.05

Refuses = Callable[[tuple[str, int], tuple[str, int]], str]


class Relay:
    """Serves a port until it is closed.

    Args:
        loop: Tells when something happens.
        connections: Pass on what is said.
        port: A TCP socket that is bound, and does not listen yet.
        target: The server.
        refuses: Says whom a connection is refused to; empty where it is let in.
        say: Takes a line for the service's log.
        fails: Called when the port is somebody else's; it is tried again if this returns.
    """

    def __init__(
        self,
        loop: Loop,
        connections: Connections,
        port: socket.socket,
        target: Target,
        refuses: Refuses,
        say: Callable[[str], None],
        fails: Callable[[OSError], None],
    ) -> None:
        self._loop = loop
        self._connections = connections
        self._port = port
        self._target = target
        self._refuses = refuses
        self._say = say
        self._fails = fails
        self._said: set[str] = set()
        self._waiting: deque[socket.socket] = deque()
        self._on_the_way: dict[int, tuple[socket.socket, socket.socket]] = {}
        self._is_open = False
        self._is_full = False
        self._pause = PAUSE
        self._has_appointment = False
        port.setblocking(False)  # noqa: FBT003 - the standard library's signature
        self._go_on()

    def close(self) -> None:
        """Let go of the port; connections that were made stay."""
        self._stop_listening()
        for link in self._waiting:
            reset(link)
        self._waiting.clear()
        self._port.close()

    def _go_on(self) -> None:
        """Do what had to wait, and come back as long as something has to."""
        self._has_appointment = False
        if self._port.fileno() < 0:
            return
        if not self._is_open:
            self._open_if_there()
        elif self._is_full:
            self._loop.watch(self._port.fileno(), READ, self._accept)
            self._is_full = False
        self._connect_waiting()

    def _come_back(self) -> None:
        if not self._has_appointment:
            self._has_appointment = True
            self._loop.later(self._pause, self._go_on)

    def _open_if_there(self) -> None:
        if self._target.is_there():
            try:
                self._port.listen(BACKLOG)
            except OSError as error:
                self._fails(error)
            else:
                self._loop.watch(self._port.fileno(), READ, self._accept)
                self._is_open, self._pause = True, PAUSE
                return
        self._pause = min(self._pause * 1.1, LONGEST_PAUSE)
        self._come_back()

    def _look_for_server(self) -> None:
        """Whoever only looks whether the port is open must be told the truth the next time."""
        if not self._target.is_there():
            self._stop_listening()

    def _stop_listening(self) -> None:
        """Refuse from now on, without losing the port: connections in its queue are reset."""
        if self._is_open:
            self._loop.forget(self._port.fileno())
            self._port.shutdown(socket.SHUT_RD)
            self._is_open = self._is_full = False
            self._come_back()

    def _accept(self, _: int) -> None:
        for _ in range(AT_ONCE):
            try:
                link, peer = self._port.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in OUT_OF_FILES:
                    self._loop.forget(self._port.fileno())
                    self._is_full = True
                    self._come_back()
                return  # else that client has gone
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
        reset(link)
        if whom and whom not in self._said:
            self._said.add(whom)
            self._say(f"stackproof: refused a connection of {whom}")
        return False

    def _connect_waiting(self) -> None:
        while self._waiting:
            try:
                server = self._target.connect()
            except OSError as error:
                if isinstance(error, BlockingIOError) or error.errno in OUT_OF_FILES:
                    self._come_back()  # the client waits, as in the server's own queue
                    return
                self._give_up()
                return
            self._join(self._waiting.popleft(), server)

    def _give_up(self) -> None:
        while self._waiting:
            reset(self._waiting.popleft())
        self._stop_listening()

    def _join(self, client: socket.socket, server: socket.socket) -> None:
        try:
            if is_connected(server):
                self._connections.join(client, server)
            else:
                self._on_the_way[server.fileno()] = client, server
                self._loop.watch(server.fileno(), WRITE, self._arrive)
        except OSError:
            server.close()
            reset(client)
            self._look_for_server()

    def _arrive(self, number: int) -> None:
        self._loop.forget(number)
        self._join(*self._on_the_way.pop(number))


def _has_sent(link: socket.socket) -> bool:
    """Whether there is something to be read on a connection."""
    try:
        return bool(link.recv(1, socket.MSG_PEEK))
    except OSError:
        return False
