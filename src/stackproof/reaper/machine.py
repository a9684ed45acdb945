"""What a process number belongs to: a boot of the machine, and a PID namespace."""

from __future__ import annotations

import os


def boot_id() -> str:
    """Identity of this boot of the machine; process numbers mean nothing after the next one."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def pid_namespace() -> str:
    """The namespace of this process; the same numbers mean other processes in another container."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
