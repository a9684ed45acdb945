"""Sees which connections services begin to places outside the stack, also those that are refused.

Standard library only. Sources: packet(7), the kernel's documentation of socket filters
(networking/filter), RFC 791, RFC 9293.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

ETH_P_IP = 0x0800
SO_ATTACH_FILTER = 26
LONGEST = 128
"""Bytes of a packet that are looked at."""

_LOAD_KIND, _LOAD_BYTE, _LOAD_OFFSET, _LOAD_BYTE_FROM = 0x20, 0x30, 0xB1, 0x50
_IF_EQUAL, _AND, _RETURN = 0x15, 0x54, 0x06
_PACKET_KIND = 0xFFFFF004
"""Where a filter finds whom a packet is for; 0 is this namespace itself."""

_FIRST = (
    (_LOAD_KIND, 0, 0, _PACKET_KIND),
    (_IF_EQUAL, 0, 8, 0),
    (_LOAD_BYTE, 0, 0, 9),
    (_IF_EQUAL, 5, 0, socket.IPPROTO_UDP),
    (_IF_EQUAL, 0, 5, socket.IPPROTO_TCP),
    (_LOAD_OFFSET, 0, 0, 0),
    (_LOAD_BYTE_FROM, 0, 0, 13),
    (_AND, 0, 0, 0x12),
    (_IF_EQUAL, 0, 1, 0x02),
    (_RETURN, 0, 0, LONGEST),
    (_RETURN, 0, 0, 0),
)
"""A filter of the first packets of TCP connections, and of all of UDP, that are for this namespace:
each step is an operation, how far to go on where it holds and where it does not, and a value."""


class Attempt(NamedTuple):
    """A packet that somebody has sent to a place.

    Attributes:
        source: The sender's address.
        address: Where to.
        port: To which port.
        protocol: `tcp` or `udp`.
    """

    source: str
    address: str
    port: int
    protocol: str


class Tap:
    """Packets for the namespace that the calling thread is in."""

    def __init__(self) -> None:
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self.socket = socket.socket(socket.AF_PACKET, kind, socket.htons(ETH_P_IP))
        steps = b"".join(struct.pack("=HBBI", *step) for step in _FIRST)
        buffer = ctypes.create_string_buffer(steps, len(steps))
        program = struct.pack("@HP", len(_FIRST), ctypes.addressof(buffer))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)

    def read(self) -> Iterator[Attempt]:
        """What has come since the last time."""
        while True:
            try:
                packet = self.socket.recv(LONGEST)
            except OSError:
                return
            found = attempt(packet)
            if found is not None:
                yield found


def attempt(packet: bytes) -> Attempt | None:
    """What an IPv4 packet shows; None if it is none, or its beginning is missing."""
    if len(packet) < 20 or packet[0] >> 4 != 4:  # noqa: PLR2004 - RFC 791
        return None
    begin = (packet[0] & 15) * 4
    (fragment,) = struct.unpack_from("!H", packet, 6)
    if fragment & 0x1FFF or len(packet) < begin + 4:
        return None
    (port,) = struct.unpack_from("!H", packet, begin + 2)
    protocol = "tcp" if packet[9] == socket.IPPROTO_TCP else "udp"
    source, address = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
    return Attempt(source, address, port, protocol)
