"""Lets commands that prepare a start run as the caller, who is root inside the private world.

Servers refuse to make their data as root; what is made is the caller's either way.
Source: user_namespaces(7).
"""

from __future__ import annotations

import os
from collections.abc import Callable

from stackproof.reaper import kernel


def become_caller() -> Callable[[], None] | None:
    """What a new process calls first to have the caller's number; None where it has it already."""
    user, group = _outside("uid_map"), _outside("gid_map")
    if user == os.getuid() or user is None or group is None:
        return None

    def become() -> None:
        kernel.unshare(kernel.CLONE_NEWUSER)
        kernel.map_ids(os.getpid(), f"{user} 0 1", f"{group} 0 1")

    return become


def _outside(name: str) -> int | None:
    """The one number that root has outside; None where this namespace knows more than one."""
    with open(f"/proc/self/{name}", encoding="ascii") as file:
        lines = [line.split() for line in file]
    if len(lines) == 1 and lines[0][0] == "0" and lines[0][2] == "1":
        return int(lines[0][1])
    return None
