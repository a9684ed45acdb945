"""Who listens on a port, as far as /proc tells: sockets by inode, inodes by process.

Source: proc(5), /proc/net/tcp and /proc/PID/fd.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator

from stackproof.readiness.sockets import listeners

PROC = "/proc"


def listening(port: int | None = None) -> dict[str, int]:
    """Listening TCP sockets: inode → port.

    Args:
        port: Only this one; None for all.
    """
    found = {}
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), open(f"{PROC}/net/{name}", encoding="ascii") as file:
            for listener in listeners(file.read()):
                if port in {None, listener.port}:
                    found[listener.inode] = listener.port
    return found


def socket_inodes(pids: Iterable[int]) -> Iterator[str]:
    """Inodes of all sockets that some processes have open."""
    for pid in pids:
        folder = f"{PROC}/{pid}/fd"
        with contextlib.suppress(OSError):
            for name in os.listdir(folder):
                with contextlib.suppress(OSError):
                    target = os.readlink(f"{folder}/{name}")
                    if target.startswith("socket:["):
                        yield target[8:-1]


def ports_of(pids: Iterable[int]) -> set[int]:
    """TCP ports that some processes listen on."""
    sockets = listening()
    return {sockets[inode] for inode in socket_inodes(pids) if inode in sockets}


def holder_of(port: int) -> str:
    """Who listens on a port, in words; processes that can't be seen are called so."""
    inodes = set(listening(port))
    if not inodes:
        return "nobody listens there now"
    for name in os.listdir(PROC):
        if name.isdigit() and not inodes.isdisjoint(socket_inodes([int(name)])):
            return f"process {name}: {command_line(int(name))}"
    return "a process that can't be seen from here"


def command_line(pid: int) -> str:
    """The command of a process, on one line."""
    with contextlib.suppress(OSError), open(f"{PROC}/{pid}/cmdline", "rb") as file:
        return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    return "(ended)"
