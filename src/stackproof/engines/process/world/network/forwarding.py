"""Asks the resolvers of this machine about names outside the stack.

Sources: resolv.conf(5), hosts(5), RFC 7766 (questions over TCP).
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable

from stackproof.engines.process.guard.loop import READ, WRITE, Loop
from stackproof.engines.process.guard.targets import is_connected
from stackproof.engines.process.world.network.dns_message import HEAD, RESPONSE

RESOLVERS, HOSTS = "/etc/resolv.conf", "/etc/hosts"
PORT = 53
PATIENCE = 2.0
"""Seconds until the next resolver is asked, which may be the same one again."""

ROUNDS = 2
LONGEST = 65535
Address = tuple[str, int]


def resolvers_of(text: str) -> list[str]:
    """The addresses that a resolv.conf names."""
    lines = [line.split() for line in text.splitlines()]
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]


def addresses_of(text: str, name: str) -> list[str]:
    """IPv4 addresses that a hosts file gives to a name; loopback ones mean nothing inside."""
    found = []
    for line in text.splitlines():
        address, *names = line.split("#")[0].split() or [""]
        if name in {one.lower() for one in names} and not address.startswith("127."):
            with contextlib.suppress(OSError):
                socket.inet_aton(address)
                found.append(address)
    return found


def read(path: str) -> str:
    """A file's text; empty if it can't be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


class Exchange:
    """One question to one resolver after the other, until there is an answer.

    Args:
        loop: Tells when it comes.
        question: The message.
        over_tcp: Whether it is asked over a connection, as who asks has done.
        servers: Whom to ask.
        then: Takes the answer; None where none has come.
    """

    def __init__(
        self,
        loop: Loop,
        question: bytes,
        *,
        over_tcp: bool,
        servers: list[Address],
        then: Callable[[bytes | None], None],
    ) -> None:
        self._loop = loop
        self._question = question
        self._over_tcp = over_tcp
        self._servers = servers * ROUNDS
        self._then = then
        self._link: socket.socket | None = None
        self._attempt = 0
        self._received = b""
        self._ask_next()

    def _ask_next(self) -> None:
        self._close()
        self._attempt += 1
        while self._servers:
            server = self._servers.pop(0)
            try:
                self._link = self._set_out(server)
            except OSError:
                continue
            self._loop.later(PATIENCE, lambda attempt=self._attempt: self._expire(attempt))  # type: ignore[misc]
            return
        self._then(None)

    def _set_out(self, server: Address) -> socket.socket:
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        kind = socket.SOCK_STREAM if self._over_tcp else socket.SOCK_DGRAM
        link = socket.socket(family, kind | socket.SOCK_NONBLOCK)
        try:
            with contextlib.suppress(BlockingIOError):
                link.connect(server)
            if self._over_tcp:
                self._loop.watch(link.fileno(), WRITE, self._send)
            else:
                link.send(self._question)
                self._loop.watch(link.fileno(), READ, self._read)
        except OSError:
            link.close()
            raise
        return link

    def _expire(self, attempt: int) -> None:
        if self._link is not None and attempt == self._attempt:
            self._ask_next()

    def _send(self, _: int) -> None:
        assert self._link is not None  # noqa: S101 - it is watched
        try:
            if is_connected(self._link):
                self._link.sendall(struct.pack("!H", len(self._question)) + self._question)
                self._loop.change(self._link.fileno(), READ)
                self._loop.forget(self._link.fileno())
                self._loop.watch(self._link.fileno(), READ, self._read)
        except OSError:
            self._ask_next()

    def _read(self, _: int) -> None:
        assert self._link is not None  # noqa: S101 - it is watched
        try:
            data = self._link.recv(LONGEST)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._ask_next()
            return
        self._received = self._received + data if self._over_tcp else data
        answer = _whole(self._received) if self._over_tcp else data
        if answer is not None and self._is_answer(answer):
            self._close()
            self._then(answer)

    def _is_answer(self, data: bytes) -> bool:
        if len(data) < HEAD.size or data[:2] != self._question[:2]:
            return False
        return bool(HEAD.unpack_from(data)[1] & RESPONSE)

    def _close(self) -> None:
        self._received = b""
        if self._link is not None:
            self._loop.forget(self._link.fileno())
            self._link.close()
            self._link = None


def _whole(data: bytes) -> bytes | None:
    """The first message of a connection's data; None as long as it is not whole."""
    if len(data) < 2:  # noqa: PLR2004 - the length's own bytes
        return None
    (size,) = struct.unpack_from("!H", data)
    return data[2 : 2 + size] if len(data) >= 2 + size else None
