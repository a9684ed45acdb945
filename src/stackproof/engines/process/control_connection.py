"""One client of the control socket: its request, the streams that came with it, the answers to it.

Commands get the caller's own streams by SCM_RIGHTS (unix(7)).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Callable
from typing import Any

CHUNK = 65536
LARGEST_REQUEST = 64 * 1024 * 1024
"""Bytes of a request; that of a stack with a thousand services has a few million."""

Request = dict[str, Any]


class BadRequestError(Exception):
    """A request can't be carried out; the text says why."""


NOT_UNDERSTOOD = (
    BadRequestError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError,
    RecursionError,
)  # fmt: skip
"""What comes of a request that has not the form that it should have."""


class Connection:
    """One client with its one request.

    Args:
        loop: The running event loop.
        link: The connection.
        mask: Masks secrets in what is sent: answers end in terminals and artifacts.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        link: socket.socket,
        mask: Callable[[object], object],
    ) -> None:
        self.loop = loop
        self.link = link
        self.mask = mask
        self.streams: list[int] = []

    async def request(self) -> Request:
        """Read the request, and the streams that came with it."""
        received = bytearray()
        while not received.endswith(b"\n"):
            await self._readable()
            data, handles, _, _ = socket.recv_fds(self.link, CHUNK, 3)
            self.streams += handles
            if not data:
                raise BadRequestError("the request was cut off")
            received += data
            if len(received) > LARGEST_REQUEST:
                raise BadRequestError(f"it is larger than {LARGEST_REQUEST >> 20} MiB")
        value = json.loads(received)
        if not isinstance(value, dict):
            raise BadRequestError("a request is a JSON object")
        return value

    async def _readable(self) -> None:
        ready: asyncio.Future[None] = self.loop.create_future()
        self.loop.add_reader(self.link, _settle, ready)
        try:
            await ready
        finally:
            self.loop.remove_reader(self.link)

    async def send(self, answer: dict[str, object]) -> None:
        """Send one line."""
        masked = json.dumps(self.mask(answer)).encode()
        await self.loop.sock_sendall(self.link, masked + b"\n")

    async def gone(self) -> None:
        """Wait until the client has closed its side."""
        with contextlib.suppress(OSError):
            while await self.loop.sock_recv(self.link, CHUNK):
                pass

    def close(self) -> None:
        """Close the connection and the streams that came with it."""
        for handle in self.streams:
            os.close(handle)
        self.streams.clear()
        self.link.close()


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
