"""Servers in a network namespace that a relay of the network process passes connections on to."""

from __future__ import annotations

import socket
from collections.abc import Callable

from stackproof.engines.process.guard.targets import start_connecting
from stackproof.engines.process.world.network.listening import Listeners


class TcpServer:
    """A server at an address of a namespace.

    Args:
        address: Its IPv4 address and port.
        listeners: Tell who listens in its namespace.
        new_socket: Gives a TCP socket from which the address can be reached, and that does not
            block.
    """

    def __init__(
        self,
        address: tuple[str, int],
        listeners: Listeners,
        new_socket: Callable[[], socket.socket],
    ) -> None:
        self._address = address
        self._listeners = listeners
        self._new_socket = new_socket

    def is_there(self) -> bool:
        """Whether somebody listens; the server does not notice the look."""
        return self._listeners.have(self._address)

    def connect(self) -> socket.socket:
        """A connection that is on its way; see `Target`."""
        return start_connecting(self._new_socket(), self._address)


def own_socket() -> socket.socket:
    """A TCP socket of this process's own namespace that does not block."""
    return socket.socket(type=socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
