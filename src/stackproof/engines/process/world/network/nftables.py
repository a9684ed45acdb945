"""Rules of nftables in the network namespace of the calling thread, without a program for them.

Standard library only. Sources: linux/netfilter/nf_tables.h and nfnetlink.h of the kernel, its
nf_tables_api.c, and what `nft --debug=netlink,mnl` shows of the same rules.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Sequence

from stackproof.engines.process.world.network.netlink import (
    HEADER,
    LONGEST,
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_REQUEST,
    NLMSG_ERROR,
    attribute,
)

NETLINK_NETFILTER = 12
SUBSYSTEM = 10
BATCH_BEGIN, BATCH_END = 16, 17
NEW_TABLE, DELETE_TABLE, NEW_CHAIN, NEW_RULE = 0, 2, 3, 6
NFPROTO_IPV4 = 2
NESTED = 0x8000

PREROUTING, INPUT, OUTPUT = 0, 1, 3
"""Hooks: what comes in, what is for this namespace, what its own processes send."""

NAT_PRIORITY, FILTER_PRIORITY = -100, 0
REGISTER = 1
EQUAL, NOT_EQUAL, LESS = 0, 1, 2
NETWORK_HEADER = 1
SOURCE, DESTINATION = 12, 16
"""Where the addresses stand in an IPv4 header."""

META_MARK, META_PROTOCOL = 3, 16
VERDICT_REGISTER, DROP = 0, 0
SO_ORIGINAL_DST = 80
LONGEST_WAIT = 10.0
Rule = Sequence[bytes]


def number(kind: int, value: int) -> bytes:
    """An attribute with a number in the network's order."""
    return attribute(kind, struct.pack("!I", value & 0xFFFFFFFF))


def _nested(kind: int, *parts: bytes) -> bytes:
    return attribute(kind | NESTED, b"".join(parts))


def _expression(name: str, *parts: bytes) -> bytes:
    return _nested(1, attribute(1, name), _nested(2, *parts))


def _value(kind: int, data: bytes) -> bytes:
    return _nested(kind, attribute(1, data))


def _compare(operation: int, data: bytes) -> bytes:
    return _expression("cmp", number(1, REGISTER), number(2, operation), _value(3, data))


def is_tcp() -> bytes:
    """Goes on with TCP alone."""
    return _meta(META_PROTOCOL) + _compare(EQUAL, bytes([socket.IPPROTO_TCP]))


def has_mark(mark: int, *, wanted: bool) -> bytes:
    """Goes on with what is sent from sockets that have a mark, or have it not."""
    return _meta(META_MARK) + _compare(EQUAL if wanted else NOT_EQUAL, struct.pack("=I", mark))


def _meta(key: int) -> bytes:
    return _expression("meta", number(1, REGISTER), number(2, key))


def address(place: int, network: str, prefix: int = 32, *, inside: bool = True) -> bytes:
    """Goes on with what has its source or destination in a network, or has it not.

    Args:
        place: SOURCE or DESTINATION.
        network: An address of the network.
        prefix: Bits of the network's part.
        inside: Which of the two.
    """
    mask = (0xFFFFFFFF << (32 - prefix)) & 0xFFFFFFFF
    wanted = int.from_bytes(socket.inet_aton(network)) & mask
    load = _expression(
        "payload", number(1, REGISTER), number(2, NETWORK_HEADER), number(3, place), number(4, 4)
    )
    cut = _expression(
        "bitwise", number(1, REGISTER), number(2, REGISTER), number(3, 4),
        _value(4, struct.pack("!I", mask)), _value(5, bytes(4)),
    )  # fmt: skip
    return load + cut + _compare(EQUAL if inside else NOT_EQUAL, struct.pack("!I", wanted))


def by_chance(share: float) -> bytes:
    """Goes on with so great a share of all packets, between 0 and 1, at random."""
    range_of, below = 1_000_000, round(share * 1_000_000)
    draw = _expression(
        "numgen", number(1, REGISTER), number(2, range_of), number(3, 1), number(4, 0)
    )
    order = _expression("byteorder", number(1, REGISTER), number(2, REGISTER), number(3, 1),
                        number(4, 4), number(5, 4))  # fmt: skip
    return draw + order + _compare(LESS, struct.pack("!I", below))


def redirect(port: int) -> bytes:
    """Leads a connection to a port of this namespace itself."""
    load = _expression("immediate", number(1, REGISTER), _value(2, struct.pack("!H", port)))
    return load + _expression("redir", number(1, REGISTER))


def drop() -> bytes:
    """Lets a packet disappear."""
    verdict = _nested(2, _nested(2, number(1, DROP)))
    return _expression("immediate", number(1, VERDICT_REGISTER), verdict)


def original_destination(link: socket.socket) -> tuple[str, int]:
    """Where a connection was meant to go before it was redirected.

    Raises:
        OSError: If the connection was not.
    """
    found = link.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16)
    return socket.inet_ntoa(found[4:8]), int.from_bytes(found[2:4])


class Tables:
    """A socket of nftables of the namespace that the calling thread is in."""

    def __init__(self) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, kind, NETLINK_NETFILTER)
        self._socket.settimeout(LONGEST_WAIT)
        self._socket.bind((0, 0))

    def close(self) -> None:
        """Close the socket; the rules stay."""
        self._socket.close()

    def set_rules(self, table: str, hook: int, rules: Sequence[Rule]) -> None:
        """Have these rules in a table of their own, in place of all that it had; none removes it.

        Args:
            table: Its name.
            hook: Where they are asked; the priority and the kind of the chain go with it.
            rules: Each is a row of conditions, and what happens if all hold.

        Raises:
            OSError: If the kernel refuses; the rules are as before then.
        """
        name = attribute(1, table)
        chain = name + attribute(3, table)
        messages = [(NEW_TABLE, NLM_F_CREATE, name), (DELETE_TABLE, 0, name)]
        if rules:
            nat = hook != INPUT
            place = _nested(4, number(1, hook), number(2, NAT_PRIORITY if nat else FILTER_PRIORITY))
            kind = attribute(7, "nat" if nat else "filter")
            messages.append((NEW_TABLE, NLM_F_CREATE, name))
            messages.append((NEW_CHAIN, NLM_F_CREATE, chain + place + kind))
        messages += [
            (NEW_RULE, NLM_F_CREATE | 0x800, name + attribute(2, table) + _nested(4, *rule))
            for rule in rules
        ]  # 0x800: NLM_F_APPEND
        self._send(messages)

    def _send(self, messages: Sequence[tuple[int, int, bytes]]) -> None:
        batch = _message(BATCH_BEGIN, 0, b"", family=0, resource=SUBSYSTEM)
        for kind, flags, body in messages[:-1]:
            batch += _message(SUBSYSTEM << 8 | kind, flags, body)
        kind, flags, body = messages[-1]
        batch += _message(SUBSYSTEM << 8 | kind, flags | NLM_F_ACK, body)
        batch += _message(BATCH_END, 0, b"", family=0, resource=SUBSYSTEM)
        self._socket.send(batch)
        self._read_answer()

    def _read_answer(self) -> None:
        """What is told first is the first failure, or that there was none."""
        data = self._socket.recv(LONGEST)
        _, kind, *_ = HEADER.unpack_from(data)
        (code,) = struct.unpack_from("=i", data, HEADER.size)
        if kind == NLMSG_ERROR and code:
            self._drain()
            raise OSError(-code, f"set rules of nftables: {os.strerror(-code)}")

    def _drain(self) -> None:
        """Read what else is told, which must not be taken for the next answer."""
        self._socket.settimeout(0)
        try:
            while True:
                self._socket.recv(LONGEST)
        except BlockingIOError:
            self._socket.settimeout(LONGEST_WAIT)


def _message(
    kind: int, flags: int, body: bytes, *, family: int = NFPROTO_IPV4, resource: int = 0
) -> bytes:
    head = struct.pack("!BBH", family, 0, resource)
    size = HEADER.size + len(head) + len(body)
    return HEADER.pack(size, kind, flags | NLM_F_REQUEST, 0, 0) + head + body
