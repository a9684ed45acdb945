"""Servers that a relay passes connections on to, and what each is asked."""

from __future__ import annotations

import errno
import os
import socket
from typing import Protocol

OUT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Target(Protocol):
    """Where connections are passed on to."""

    def is_there(self) -> bool:
        """Whether the server listens now."""

    def connect(self) -> socket.socket:
        """A connection that is made, or on its way.

        Raises:
            BlockingIOError: If the server has no room for it now.
            OSError: If it can't be made.
        """


class UnixServer:
    """A server that listens on a Unix socket.

    Args:
        path: That of the socket.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def is_there(self) -> bool:
        """Whether the server listens: it is looked at by a connection."""
        try:
            self.connect().close()
        except OSError as error:
            return error.errno == errno.EAGAIN or error.errno in OUT_OF_FILES
        return True

    def connect(self) -> socket.socket:
        """A connection, as `Target` says."""
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            link.connect(self._path)
        except OSError:
            link.close()
            raise
        return link


def start_connecting(link: socket.socket, address: tuple[str, int]) -> socket.socket:
    """Set out for a TCP address from a socket that does not block, which is closed on failure.

    Raises:
        OSError: If it has failed already.
    """
    code = link.connect_ex(address)
    if code not in {0, errno.EINPROGRESS}:
        link.close()
        raise OSError(code, os.strerror(code))
    return link


def is_connected(link: socket.socket) -> bool:
    """Whether a connection that was on its way has been made.

    Raises:
        OSError: If it has failed.
    """
    code = link.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))
    try:
        link.getpeername()
    except OSError as error:
        if error.errno == errno.ENOTCONN:
            return False
        raise
    return True
