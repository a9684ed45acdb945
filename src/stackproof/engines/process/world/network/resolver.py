"""Answers what services ask about names: those of their own networks, and others if allowed.

Each service asks on 127.0.0.11, as in a container of Docker.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import NamedTuple

from stackproof.engines.process.guard.loop import READ, Loop
from stackproof.engines.process.world.network import dns_message
from stackproof.engines.process.world.network.dns_message import MalformedError, Question
from stackproof.engines.process.world.network.names import Names

Reply = Callable[[bytes], None]


class Asked(NamedTuple):
    """A question about a name outside the stack.

    Attributes:
        room: The service that asks.
        question: What it asks.
        data: The same as bytes.
        over_tcp: Whether it asks over a connection.
        reply: Takes the answer.
    """

    room: str
    question: Question
    data: bytes
    over_tcp: bool
    reply: Reply


LONGEST = 65535
LONGEST_TALK = 60.0
"""Seconds after which a connection is closed; who has more to ask makes another."""


class Resolver:
    """Answers all services of a stack.

    Args:
        loop: Tells when somebody asks.
        names: Those of the stack.
        foreign: Answers about other names.
    """

    def __init__(self, loop: Loop, names: Names, foreign: Callable[[Asked], None]) -> None:
        self._loop = loop
        self._names = names
        self._foreign = foreign
        self._turns = count()

    def serve(self, room: str, udp: socket.socket, tcp: socket.socket) -> None:
        """Answer a service that asks on its own sockets."""

        def datagram(_: int) -> None:
            try:
                data, asker = udp.recvfrom(LONGEST)
            except OSError:
                return

            def reply(answer: bytes) -> None:
                if udp.fileno() >= 0:
                    _send(udp, answer, asker)

            self.resolve(room, data, reply)

        def connection(_: int) -> None:
            try:
                link, _ = tcp.accept()
            except OSError:
                return
            Asker(self._loop, link, partial(self.resolve, room, over_tcp=True))

        self._loop.watch(udp.fileno(), READ, datagram)
        self._loop.watch(tcp.fileno(), READ, connection)

    def forget(self, udp: socket.socket, tcp: socket.socket) -> None:
        """Answer on these sockets no more."""
        self._loop.forget(udp.fileno())
        self._loop.forget(tcp.fileno())

    def resolve(self, room: str, data: bytes, reply: Reply, *, over_tcp: bool = False) -> None:
        """Answer one message of a service, now or later; what is no question gets no answer."""
        try:
            question = dns_message.parse(data)
        except MalformedError as error:
            if error.head is not None:
                reply(error.head)
            return
        own = self._own(room, question)
        if own is not None:
            reply(own)
        else:
            self._foreign(Asked(room, question, data, over_tcp, reply))

    def _own(self, room: str, question: Question) -> bytes | None:
        """What the stack itself says to a question; None if it says nothing."""
        if not (question.of_internet and question.asks_for_anything):
            return dns_message.answer(question, code=dns_message.NOT_IMPLEMENTED)
        if question.reversed_address:
            name = self._names.name_of(room, question.reversed_address)
            return _named(question, name) if name else None
        addresses = self._names.addresses(room, question.name)
        if not addresses:
            return None
        if question.kind not in {dns_message.A, dns_message.ANY}:
            return dns_message.answer(question)
        turn = next(self._turns) % len(addresses)
        inorder = addresses[turn:] + addresses[:turn]
        return dns_message.answer(question, records=[*map(dns_message.address_record, inorder)])


def _named(question: Question, name: str) -> bytes:
    return dns_message.answer(question, records=[dns_message.name_record(name)])


def _send(udp: socket.socket, answer: bytes, asker: tuple[str, int]) -> None:
    try:
        udp.sendto(answer, asker)
    except OSError:
        return  # it asks again


class Asker:
    """A connection over which questions come, each with its length before it.

    Args:
        loop: Tells when something comes.
        link: The connection.
        resolve: Answers a message.
    """

    def __init__(
        self, loop: Loop, link: socket.socket, resolve: Callable[[bytes, Reply], None]
    ) -> None:
        self._loop = loop
        self._link = link
        self._resolve = resolve
        self._received = b""
        link.setblocking(False)  # noqa: FBT003 - the standard library's signature
        loop.watch(link.fileno(), READ, self._read)
        loop.later(LONGEST_TALK, self._close)

    def _read(self, _: int) -> None:
        try:
            data = self._link.recv(LONGEST)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close()
            return
        self._received += data
        while len(self._received) >= 2:  # noqa: PLR2004 - the length's own
            (size,) = struct.unpack_from("!H", self._received)
            if len(self._received) < 2 + size:
                return
            message, self._received = self._received[2 : 2 + size], self._received[2 + size :]
            self._resolve(message, self._reply)

    def _reply(self, answer: bytes) -> None:
        """Send an answer, which is shorter than what a connection takes at once."""
        if self._link.fileno() < 0:
            return
        try:
            self._link.sendall(struct.pack("!H", len(answer)) + answer)
        except OSError:
            self._close()

    def _close(self) -> None:
        if self._link.fileno() >= 0:
            self._loop.forget(self._link.fileno())
            self._link.close()
