"""Probes of the network: ports, names and sockets of the machine around a service.

Sources: unix(7), packet(7), udp(7), RFC 1035.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from functools import partial

from stackproof.engines.process.receipt.attempts import (
    Attempt,
    RefusedError,
    UntestableError,
    Ways,
)
from stackproof.engines.process.receipt.targets import Targets

PATIENCE = 2.0
"""Seconds that an answer may take, which comes in less than a millisecond if at all."""

LOOKS = 3
"""After so many looks of the foreign process it has seen, and answered, what was sent before."""

_EVERY_PROTOCOL = 0x0003
_HEAD = struct.Struct("!HHHHHH")
_RESPONSE, _CODE, _NAME_ERROR, _RECURSION = 0x8000, 0x000F, 3, 0x0100
_ADDRESS, _INTERNET, _CHAOS = 1, 1, 3
_OUTSIDE, _CONTROL = 1, 2
"""Identities of the two questions."""


def ports(targets: Targets) -> Ways:
    """A TCP port that all addresses of the machine answer on."""
    for host in targets.hosts:
        yield Attempt(f"connect to {host}:{targets.port}", partial(_reach, host, targets))


def _reach(host: str, targets: Targets) -> str:
    try:
        return _connect((host, targets.port), targets)
    except OSError:
        if targets.shortfall and host in targets.addresses:
            raise UntestableError(targets.shortfall) from None
        raise


def published(targets: Targets) -> Ways:
    """A TCP port of the machine's loopback, as other stacks publish theirs."""
    for host in targets.hosts:
        place = host, targets.published
        yield Attempt(f"connect to {host}:{targets.published}", partial(_connect, place, targets))


def _connect(place: tuple[str, int], targets: Targets) -> str:
    with socket.socket() as link:
        return _hear(link, place, targets)


def _hear(link: socket.socket, place: tuple[str, int] | str, targets: Targets) -> str:
    """Connect, and have the target's word: a relay may take a connection that leads nowhere."""
    link.settimeout(PATIENCE)
    try:
        link.connect(place)
        heard = link.recv(64)
    except TimeoutError:
        raise UntestableError(f"nothing came back in {PATIENCE:.0f} s") from None
    if heard != targets.word:
        raise RefusedError("the connection was closed")
    return "it answered"


def abstract(targets: Targets) -> Ways:
    """An abstract Unix socket."""
    yield Attempt(f"connect to @{targets.abstract[1:]}", partial(_connect_locally, targets))


def _connect_locally(targets: Targets) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        return _hear(link, targets.abstract, targets)


def names(targets: Targets) -> Ways:
    """A name server of the machine: by itself, and through the stack's own one."""
    for host in targets.hosts:
        place = host, targets.datagrams
        yield Attempt(
            f"send a datagram to {host}:{targets.datagrams}", partial(_send, place, targets)
        )
    if targets.resolver:
        words = f"ask {targets.resolver} for the address of example.com"
        yield Attempt(words, partial(_ask, targets.resolver))


def _send(place: tuple[str, int], targets: Targets) -> str:
    with socket.socket(type=socket.SOCK_DGRAM) as link:
        link.connect(place)
        link.send(b"?")
        if _comes(link, targets):
            return "it answered"
    raise RefusedError("no answer, though it answers others")


def _comes(link: socket.socket, targets: Targets) -> bool:
    """Whether the word comes before the foreign process has looked often enough.

    Raises:
        OSError: If the kernel says that it can't come.
        UntestableError: If the foreign process does not look.
    """
    link.setblocking(False)  # noqa: FBT003 - the standard library's signature
    enough, end = targets.count() + LOOKS, time.monotonic() + PATIENCE
    is_last = False
    while time.monotonic() < end:
        if select.select([link], [], [], 0 if is_last else 0.0005)[0]:
            if targets.word in link.recv(1 << 16):
                return True
        elif is_last:
            return False
        is_last = targets.count() >= enough
    raise UntestableError("the target has not been heard of itself")


def _ask(server: str) -> str:
    """Ask for a name outside; a second question shows whether the first one was passed on.

    The stack's resolver answers the second one itself, at once, and the first one as well where it
    lets no name out.
    """
    with socket.socket(type=socket.SOCK_DGRAM) as link:
        link.settimeout(PATIENCE)
        link.connect((server, 53))
        link.send(_question(_OUTSIDE, _INTERNET))
        link.send(_question(_CONTROL, _CHAOS))
        try:
            identity, flags, _, found, authorities, _ = _HEAD.unpack_from(link.recv(4096))
        except TimeoutError:
            raise UntestableError(f"nothing came back in {PATIENCE:.0f} s") from None
    if identity == _CONTROL:
        return "the question was passed on to the machine's name servers"
    if flags & _CODE == _NAME_ERROR and not authorities:
        raise RefusedError("there is no such name, it says at once")
    return f"an answer with {found} records, status {flags & _CODE}"


def _question(identity: int, of_class: int) -> bytes:
    name = b"\x07example\x03com\x00"
    kind = struct.pack("!HH", _ADDRESS, of_class)
    return _HEAD.pack(identity, _RECURSION, 1, 0, 0, 0) + name + kind


def packets(targets: Targets) -> Ways:
    """Packets that pass the machine's loopback."""
    yield Attempt("listen to all packets by a raw socket", partial(_overhear, targets))


def _overhear(targets: Targets) -> str:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY_PROTOCOL)) as link:
        if _comes(link, targets):
            return "a datagram of the machine's loopback was heard"
    raise RefusedError("none of the machine's packets was heard")
