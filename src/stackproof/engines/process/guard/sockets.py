"""What programs that pass on connections need of sockets, files and their error output."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import struct

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing resets the connection (socket(7))."""


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


def prepare(link: socket.socket) -> None:
    """Let a connection send at once what it has, and notice when the other side has gone."""
    for option in (
        (socket.IPPROTO_TCP, socket.TCP_NODELAY),  # a Unix socket has no such option
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
    ):
        with contextlib.suppress(OSError):
            link.setsockopt(*option, 1)


def reset(link: socket.socket) -> None:
    """Close a connection so that the other side sees that it broke."""
    with contextlib.suppress(OSError):
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    link.close()


def raise_file_limit() -> None:
    """Let this process have as many open files as it may: each connection takes two."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def write_line(text: str) -> None:
    """Write a line to the error output, which is a log."""
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode())
