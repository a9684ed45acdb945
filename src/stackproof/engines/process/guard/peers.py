"""Whose the other end of a TCP connection on this machine is, as the kernel says.

The socket is found by both endpoints. One that its process has closed already belongs to nobody:
the kernel shows root as the owner of such sockets, so they are told apart by their inode, which is
0. Standard library only, since the guard loads this module.

Sources: sock_diag(7), proc(5) (/proc/net/tcp, /proc/PID/fd), user_namespaces(7).
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import sys
from typing import NamedTuple

from stackproof.engines.process.listeners import PROC, socket_inodes
from stackproof.reaper.sweep import marked

SOCK_DIAG_BY_FAMILY = 20
NETLINK_SOCK_DIAG = 4
NLM_F_REQUEST = 1
ALL_STATES = 0xFFFFFFFF
NO_COOKIE = b"\xff" * 8
SOCKET_ID = struct.Struct("!HH16s16sI8s")
"""Ports and addresses in network order, interface, cookie."""

TIME_WAIT, CLOSED, LISTEN = 6, 7, 10
NOBODYS = frozenset({TIME_WAIT, CLOSED, LISTEN})
"""States in which what is found is not the other end of the connection."""

Address = tuple[str, int]


class Owner(NamedTuple):
    """Who has a socket open.

    Attributes:
        uid: The user that has made it.
        inode: Its number in /proc/PID/fd.
    """

    uid: int
    inode: int


def owner_of(client: Address, server: Address) -> Owner | None:
    """Who has the client's end of a connection open; None where nobody has it any more.

    Args:
        client: IPv4 address and port of the end that is asked for.
        server: Those of the other end.

    Raises:
        OSError: If the kernel can't be asked.
    """
    try:
        return _ask_kernel(client, server)
    except OSError:  # no sock_diag here
        return _look_up(client, server)


def _ask_kernel(client: Address, server: Address) -> Owner | None:
    with diagnosis() as link:
        found = find(link, client, server)
    if found is None or found.state in NOBODYS or not found.inode:
        return None
    wanted = _socket_id(client, server)[:36]
    return Owner(found.uid, found.inode) if _is_same(found.ends, wanted) else None


class Found(NamedTuple):
    """A socket that the kernel has found.

    Attributes:
        state: What it is at.
        ends: Ports and addresses, as `SOCKET_ID` has them.
        uid: The user that has made it.
        inode: Its number in /proc/PID/fd.
    """

    state: int
    ends: bytes
    uid: int
    inode: int


def diagnosis() -> socket.socket:
    """A socket that the kernel is asked through, about the caller's own network namespace.

    Raises:
        OSError: If the kernel can't be asked.
    """
    kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
    link = socket.socket(socket.AF_NETLINK, kind, NETLINK_SOCK_DIAG)
    link.settimeout(1.0)
    return link


def find(link: socket.socket, near: Address, far: Address) -> Found | None:
    """The TCP socket that a packet from one address to another arrives at; None for none.

    Where no connection has both ends, it is the socket that listens at the near one.

    Args:
        link: The kernel is asked through it.
        near: IPv4 address and port of the end that is asked for.
        far: Those of the other end.

    Raises:
        OSError: If the kernel can't be asked.
    """
    wanted = _socket_id(near, far)
    head = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, ALL_STATES)
    size = 16 + len(head) + len(wanted)
    link.send(struct.pack("=IHHII", size, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0) + head + wanted)
    answer = link.recv(4096)
    (kind,) = struct.unpack_from("=H", answer, 4)
    if kind != SOCK_DIAG_BY_FAMILY:
        (number,) = struct.unpack_from("=i", answer, 16)
        if -number == errno.ENOENT:
            return None
        raise OSError(-number, os.strerror(-number))
    uid, inode = struct.unpack_from("=II", answer, 80)
    return Found(answer[17], answer[20 : 20 + 36], uid, inode)


def _socket_id(near: Address, far: Address) -> bytes:
    addresses = socket.inet_aton(near[0]), socket.inet_aton(far[0])
    return SOCKET_ID.pack(near[1], far[1], *addresses, 0, NO_COOKIE)


def _is_same(found: bytes, wanted: bytes) -> bool:
    """Whether ports and IPv4 addresses agree; IPv6 sockets show IPv4 ones as they are."""
    return (found[:8], found[20:24]) == (wanted[:8], wanted[20:24]) or (
        found[:4] == wanted[:4] and found[16:20] == wanted[4:8] and found[32:36] == wanted[20:24]
    )


def _look_up(client: Address, server: Address) -> Owner | None:
    ends = (_hexadecimal(client), _hexadecimal(server))
    mapped = tuple("0000000000000000" + _word(0xFFFF) + end for end in ends)
    for name, wanted in (("tcp", ends), ("tcp6", mapped)):
        with contextlib.suppress(FileNotFoundError), open(f"{PROC}/net/{name}") as file:
            next(file, None)
            for line in file:
                fields = line.split()
                if (fields[1], fields[2]) == wanted and int(fields[3], 16) not in NOBODYS:
                    return Owner(int(fields[7]), int(fields[9])) if int(fields[9]) else None
    return None


def _hexadecimal(address: Address) -> str:
    """An address as /proc/net/tcp writes it: each 32-bit word in this machine's byte order."""
    return f"{int.from_bytes(socket.inet_aton(address[0]), sys.byteorder):08X}:{address[1]:04X}"


def _word(value: int) -> str:
    """The third word of an IPv4 address that is mapped into IPv6."""
    return f"{int.from_bytes(value.to_bytes(4, 'big'), sys.byteorder):08X}"


class Admission:
    """Decides whose connections are let in: those of this user, of root and of the run.

    Args:
        run: The entry of the environment that each process of the run carries.
        server: The user that servers run as, where it is not this one.
    """

    def __init__(self, run: str, server: int | None) -> None:
        self._run = run
        self._server = server
        self._users = {os.getuid(), 0} - _shown_for_others()

    def refuses(self, client: Address, server: Address) -> str:
        """Whom a connection is refused to; empty where it is let in, `?` where nobody has it."""
        owner = owner_of(client, server)
        if owner is None:
            return "?"
        if owner.uid in self._users or self._is_of_the_run(owner):
            return ""
        return f"user {owner.uid}"

    def _is_of_the_run(self, owner: Owner) -> bool:
        if owner.uid not in {self._server, os.getuid()}:
            return False
        return str(owner.inode) in socket_inodes(process.pid for process in marked(self._run))


def _shown_for_others() -> set[int]:
    """The number that stands for every user that a user namespace does not know."""
    with contextlib.suppress(OSError, ValueError):
        with open(f"{PROC}/self/uid_map", encoding="ascii") as file:
            sizes = [int(line.split()[2]) for line in file]
        if sum(sizes) < (1 << 32) - 1:
            with open(f"{PROC}/sys/kernel/overflowuid", encoding="ascii") as file:
                return {int(file.read())}
    return set()
