"""Free ports that no two runs can both take: a claim is a socket name that its holder has bound.

On Linux the claim is a name in the abstract socket namespace (unix(7)): it belongs to one process
at a time, leaves no file, and is gone when its holder is. Elsewhere only the port itself is tried.
"""

from __future__ import annotations

import os
import socket
import sys

FIRST_PORT = 20000
"""Below it are the ports that people use; above the range begins what kernels hand out."""

LAST_PORT = 32767


def claim(count: int, held: list[socket.socket]) -> list[int]:
    """Claim some free TCP ports of 127.0.0.1.

    Args:
        count: How many.
        held: Takes the sockets that keep the claims; closing one gives its port back.

    Raises:
        OSError: If there are not as many.
    """
    found: list[int] = []
    size = LAST_PORT - FIRST_PORT + 1
    first = int.from_bytes(os.urandom(4), "big") % size
    for offset in range(size):
        if len(found) == count:
            return found
        port = FIRST_PORT + (first + offset) % size
        name = bind_name(f"port-{port}")
        if name is None:
            continue
        if is_free(port):
            held.append(name)
            found.append(port)
        else:
            name.close()
    raise OSError(f"there are no {count} free ports from {FIRST_PORT} to {LAST_PORT}")


def bind_name(name: str) -> socket.socket | None:
    """Bind a name that only one process of this machine can have; None if somebody has it."""
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if not sys.platform.startswith("linux"):
        return holder
    try:
        holder.bind(f"\0stackproof-{name}")
    except OSError:
        holder.close()
        return None
    return holder


def is_free(port: int) -> bool:
    """Whether a server could listen on a port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
