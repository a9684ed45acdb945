"""What Linux offers and the standard library doesn't: namespaces, mounts, rights.

Each function is one system call, or the few that always go together, and raises OSError with words.
Sources: namespaces(7), unshare(2), setns(2), mount(2), mount_setattr(2), pivot_root(2),
umount2(2), prctl(2), user_namespaces(7), the kernel's syscall tables.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Mapping
from typing import Literal

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = 4096, 8192, 16384, 1 << 18
MNT_DETACH = 2

_PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 4, 36, 38
_MOUNT_ATTR_RDONLY, _AT_FDCWD, _AT_RECURSIVE = 1, -100, 0x8000

SYSTEM_CALLS: Mapping[str, Mapping[str, int]] = {
    "x86_64": {
        "chown": 92,
        "fchown": 93,
        "lchown": 94,
        "setuid": 105,
        "setgid": 106,
        "setreuid": 113,
        "setregid": 114,
        "setgroups": 116,
        "setresuid": 117,
        "setresgid": 119,
        "setfsuid": 122,
        "setfsgid": 123,
        "pivot_root": 155,
        "fchownat": 260,
        "mount_setattr": 442,
    },
    "aarch64": {
        "pivot_root": 41,
        "fchownat": 54,
        "fchown": 55,
        "setregid": 143,
        "setgid": 144,
        "setreuid": 145,
        "setuid": 146,
        "setresuid": 147,
        "setresgid": 149,
        "setfsuid": 151,
        "setfsgid": 152,
        "setgroups": 159,
        "mount_setattr": 442,
    },
}
"""Machine → name → number; what a machine doesn't have (aarch64: chown, lchown) is left out."""

_library = ctypes.CDLL(None, use_errno=True)


def call(function: str, *arguments: object, words: str = "") -> int:
    """Call a function of the C library.

    Args:
        function: Its name.
        arguments: Texts become bytes; numbers are passed as the C type `long`.
        words: What is said of the call when it fails; its name by default.

    Raises:
        OSError: If it fails, with words such as `mount proc on /proc: Operation not permitted`.
    """
    try:
        called = getattr(_library, function)
    except AttributeError:
        raise OSError(errno.ENOSYS, f"{words or function}: {os.strerror(errno.ENOSYS)}") from None
    answer: int = called(*(_as_c(argument) for argument in arguments))
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{words or function}: {os.strerror(number)}")
    return answer


def _as_c(argument: object) -> object:
    if isinstance(argument, str):
        return os.fsencode(argument)
    return ctypes.c_long(argument) if isinstance(argument, int) else argument


def system_call(name: str, *arguments: object, words: str = "") -> int:
    """Make a system call that the C library has no function for.

    Raises:
        OSError: If it fails, or if its number on this machine is not known.
    """
    numbers = SYSTEM_CALLS.get(os.uname().machine, {})
    if name not in numbers:
        raise OSError(errno.ENOSYS, f"{name}: its number on {os.uname().machine} is not known")
    return call("syscall", numbers[name], *arguments, words=words or name)


def unshare(flags: int) -> None:
    """Leave namespaces for new ones; a new PID namespace is that of later children only.

    Raises:
        OSError: If the kernel refuses.
    """
    call("unshare", flags)


def join(handle: int, flags: int) -> None:
    """Join namespaces; a PID namespace is that of later children only.

    Args:
        handle: An open file of /proc/PID/ns, or a pidfd, which stands for several at once.
        flags: CLONE_NEW… of the namespaces.

    Raises:
        OSError: If the kernel refuses, or if a process behind a pidfd has ended.
    """
    call("setns", handle, flags)


def map_ids(pid: int, users: str, groups: str) -> None:
    """Write the maps of a process's new user namespace.

    Args:
        pid: The process; its parent namespace's rights are the caller's.
        users: Lines of uid_map, such as `0 1000 1`.
        groups: Lines of gid_map; one id at a time takes giving up setgroups(2) first.

    Raises:
        OSError: If the kernel refuses.
    """
    if groups.split()[2:] == ["1"]:
        _write(f"/proc/{pid}/setgroups", "deny")
    _write(f"/proc/{pid}/uid_map", users)
    _write(f"/proc/{pid}/gid_map", groups)


def same_ids(kind: Literal["uid", "gid"]) -> str:
    """A map for a new user namespace in which each id of this one is itself.

    In a container without root's rights, root may have few ids, or only itself.
    """
    with open(f"/proc/self/{kind}_map") as file:
        ranges = [line.split() for line in file]
    return "\n".join(f"{inside} {inside} {count}" for inside, _, count in ranges)


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def mount(
    source: str, target: str, kind: str | None = None, flags: int = 0, options: str | None = None
) -> None:
    """Mount something, seen only in this mount namespace.

    Args:
        source: What.
        target: Where.
        kind: The file system; None for a bind mount or a change of flags.
        flags: MS_… as mount(2) takes them.
        options: Of the file system.

    Raises:
        OSError: If the kernel refuses.
    """
    words = f"mount {kind or source} on {target}"
    call("mount", source, target, kind, flags, options, words=words)


def make_mounts_private() -> None:
    """Let no mount or unmount pass between this mount namespace and others.

    Raises:
        OSError: If the kernel refuses.
    """
    mount("none", "/", None, MS_REC | MS_PRIVATE)


def make_read_only(target: str, *, recursive: bool = True) -> None:
    """Let nobody write through a mount, and through those below it.

    Flags that an outer namespace has locked stay as they are.

    Args:
        target: Where it is mounted.
        recursive: Whether the mounts below it are meant too.

    Raises:
        OSError: If the kernel refuses.
    """
    attributes = struct.pack("=QQQQ", _MOUNT_ATTR_RDONLY, 0, 0, 0)
    flags = _AT_RECURSIVE if recursive else 0
    words = f"make {target} read-only"
    given = (_AT_FDCWD, target, flags, attributes, len(attributes))
    system_call("mount_setattr", *given, words=words)


def unmount(target: str) -> None:
    """Take a file system away at once, whoever still uses it.

    Raises:
        OSError: If the kernel refuses, or if there is none.
    """
    call("umount2", target, MNT_DETACH, words=f"unmount {target}")


def pivot_root(old: str) -> None:
    """Make the current folder, which must be a mount, the root.

    Args:
        old: Folder of the new root, where the old root is seen from now on.

    Raises:
        OSError: If the kernel refuses.
    """
    system_call("pivot_root", ".", old)


def set_hostname(name: str) -> None:
    """Name the machine in this UTS namespace.

    Raises:
        OSError: If the kernel refuses.
    """
    encoded = os.fsencode(name)
    call("sethostname", encoded, len(encoded), words=f"set the host name {name}")


def become_subreaper() -> None:
    """Let orphans of all descendants become children of this process.

    Raises:
        OSError: If the kernel refuses.
    """
    call("prctl", _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def forbid_new_privileges() -> None:
    """Let no program that this process becomes gain rights, by set-user-ID or file capabilities.

    Raises:
        OSError: If the kernel refuses.
    """
    call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def hide_memory() -> None:
    """Hide this process's memory from those without rights over it, until it is a program.

    A copy of the supervisor knows the secrets of all services.
    Source: ptrace(2), "Ptrace access mode checking".

    Raises:
        OSError: If the kernel refuses.
    """
    call("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)
