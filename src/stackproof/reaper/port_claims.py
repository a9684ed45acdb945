"""Free ports that no two runs can both take: a claim is a socket name that its holder has bound.

On Linux the claim is a name in the abstract socket namespace (unix(7)): it belongs to one process
at a time, leaves no file, and is gone when its holder is. Elsewhere only the port itself is tried.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys

from stackproof.reaper import ownership

FIRST_PORT = 20000
"""Below it are the ports that people use; above the range begins what kernels hand out."""

LAST_PORT = 32767

NAMED_HOLDERS = 3
"""So many of those who have claimed ports are named where there is none left."""

_CREDENTIALS = struct.Struct("iII")
"""`struct ucred`: process, user, group."""


def claim(count: int, held: list[socket.socket]) -> list[int]:
    """Claim some free TCP ports of 127.0.0.1.

    Args:
        count: How many.
        held: Takes the sockets that keep the claims; closing one gives its port back.

    Raises:
        OSError: If there are not as many, with who has claimed the others.
    """
    found: dict[int, socket.socket] = {}
    claimed: list[int] = []
    size = LAST_PORT - FIRST_PORT + 1
    if not 0 <= count <= size:
        raise OSError(f"{count} ports were asked for; there are only {size} from {FIRST_PORT} on")
    first = int.from_bytes(os.urandom(4), "big") % size
    for offset in range(size):
        if len(found) == count:
            break
        port = FIRST_PORT + (first + offset) % size
        name = bind_name(f"port-{port}")
        if name is None:
            claimed.append(port)
        elif is_free(port):
            found[port] = name
        else:
            name.close()
    if len(found) == count:
        held += found.values()
        return list(found)
    for name in found.values():
        name.close()
    raise OSError(
        f"there are no {count} free ports from {FIRST_PORT} to {LAST_PORT}: "
        f"{size - len(found) - len(claimed)} are taken by servers, {len(claimed)} are claimed"
        + "".join(f", {port} by {holder(f'port-{port}')}" for port in claimed[:NAMED_HOLDERS])
    )


def bind_name(name: str) -> socket.socket | None:
    """Bind a name that only one process of this machine can have; None if somebody has it."""
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if not sys.platform.startswith("linux"):
        return bound
    try:
        bound.bind(f"\0stackproof-{name}")
        bound.listen(1)  # so that it can be asked who has it
    except OSError:
        bound.close()
        return None
    return bound


def holder(name: str) -> str:
    """Who has bound a name, asked with SO_PEERCRED (unix(7))."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)  # noqa: FBT003 - the standard library's signature
        try:
            asking.connect(f"\0stackproof-{name}")
        except OSError:
            return "a process that does not say who it is"
        pid, uid = peer(asking)
    return f"process {pid} of {ownership.user_name(uid)}"


def peer(link: socket.socket) -> tuple[int, int]:
    """Number and user of the process at the other end of a Unix socket."""
    data = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(data)
    return pid, uid


def is_free(port: int) -> bool:
    """Whether a server could listen on a port of 127.0.0.1 now."""
    return bind_error(port) == 0


def bind_error(port: int) -> int:
    """Why nobody could listen on a port of 127.0.0.1 now, as an errno; 0 where a server could."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.errno or errno.EADDRINUSE
    return 0
