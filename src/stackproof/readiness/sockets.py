"""TCP sockets that somebody listens on, as the kernel lists them for a network.

Source: proc(5), /proc/net/tcp and /proc/net/tcp6.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from ipaddress import ip_address
from typing import NamedTuple

_LISTEN = "0A"


class Listener(NamedTuple):
    """A socket that is listened on.

    Attributes:
        port: Its port.
        is_local: Whether only the loopback interface leads to it.
        inode: Its number, as the file descriptors of a process show it.
    """

    port: int
    is_local: bool
    inode: str


def listeners(text: str) -> Iterator[Listener]:
    """The listening sockets of a table.

    Args:
        text: What /proc/net/tcp or /proc/net/tcp6 holds, or both.
    """
    for line in text.splitlines():
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN:  # noqa: PLR2004 - the inode is the tenth
            address, _, port = fields[1].rpartition(":")
            yield Listener(int(port, 16), _is_loopback(address), fields[9])


def _is_loopback(address: str) -> bool:
    """Whether an address, as words of four bytes in this machine's order, is 127.0.0.0/8 or ::1."""
    words = [bytes.fromhex(address[start : start + 8]) for start in range(0, len(address), 8)]
    plain = ip_address(b"".join(word[:: -1 if sys.byteorder == "little" else 1] for word in words))
    inner = getattr(plain, "ipv4_mapped", None)
    return plain.is_loopback or (inner is not None and inner.is_loopback)
