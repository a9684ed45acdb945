"""Linux namespaces: a program as PID 1 of its own, so that its end is the end of all below it.

With them comes one of System V IPC: a PostgreSQL that is killed leaves a shared memory segment.
Sources: pid_namespaces(7), user_namespaces(7), mount_namespaces(7), ipc_namespaces(7), prctl(2),
tmpfs(5), umount2(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWIPC = 0x08000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 2, 4, 8, 16384, 1 << 18
MNT_DETACH = 2
PR_SET_CHILD_SUBREAPER = 36

PRIVATE, SHARED = "pid", "none"


def become_subreaper() -> None:
    """Let orphans of all descendants become children of this process.

    Raises:
        OSError: If the kernel refuses.
    """
    _call("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _call(function: str, *arguments: int | bytes | None) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


def spawn(program: Callable[[], None], *, private: bool) -> tuple[int, str]:
    """Start a program below this process, if possible as PID 1 of a PID namespace.

    The caller must be a subreaper: the process in between ends at once, and the program becomes
    the caller's own child.

    Args:
        program: Called in the new process; replaces it, or ends it.
        private: Whether to try for a namespace with a /proc of its own.

    Returns:
        The new process's number as the caller sees it, and `pid` where it has a namespace of its
        own, else why not.
    """
    if not private:
        return _attempt(program, private=False)
    child, kind = _attempt(program, private=True)
    if kind == PRIVATE:
        return child, kind
    os.waitpid(child, 0)
    child, _ = _attempt(program, private=False)
    return child, f"{SHARED}: {kind}"


def _attempt(program: Callable[[], None], *, private: bool) -> tuple[int, str]:
    reading, writing = os.pipe()
    middle = os.fork()
    if middle == 0:
        os.close(reading)
        _start_from_the_middle(program, writing, private=private)
    os.close(writing)
    with os.fdopen(reading) as answers:
        told = dict(line.rstrip("\n").split("=", 1) for line in answers)
    os.waitpid(middle, 0)
    return int(told["pid"]), told.get("kind", "it ended at once")


def _start_from_the_middle(program: Callable[[], None], writing: int, *, private: bool) -> None:
    refusal = _try(_separate) if private else ""
    child = os.fork()
    if child:
        os.write(writing, f"pid={child}\n".encode())
        os._exit(0)
    try:
        if private:
            refusal = refusal or _try(_mount_own_proc)
        kind = refusal or (PRIVATE if private else SHARED)
        os.write(writing, f"kind={kind}\n".encode())
        os.close(writing)
        if not refusal:
            program()
    finally:
        os._exit(127)


def _try(step: Callable[[], None]) -> str:
    """Why a step is not allowed here; empty if it was."""
    try:
        step()
    except (OSError, AttributeError) as error:
        return str(error) or type(error).__name__
    return ""


def _separate() -> None:
    """Enter new namespaces; an ordinary user needs one of users for that."""
    user, group = os.getuid(), os.getgid()
    if user == 0:
        _call("unshare", CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC)
        return
    _call("unshare", CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{user} {user} 1")
    _write("/proc/self/gid_map", f"{group} {group} 1")


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _mount_own_proc() -> None:
    """Show only the namespace's own processes in /proc; without that, numbers would be mixed up."""
    _call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    _call("mount", b"proc", b"/proc", b"proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, None)


def mount_tmpfs(folder: str, size: str) -> None:
    """Put an empty file system in memory on a folder, seen only in this mount namespace.

    Args:
        folder: Where.
        size: How much it may hold, as tmpfs(5) takes it: `16m`, `1048576`, `10%`.

    Raises:
        OSError: If the kernel refuses.
    """
    options = f"size={size},mode=1777".encode()
    _call("mount", b"tmpfs", folder.encode(), b"tmpfs", MS_NOSUID | MS_NODEV, options)


def mount(source: str, target: str, kind: str, flags: int, options: str) -> None:
    """Mount something, seen only in this mount namespace.

    Args:
        source: What.
        target: Where.
        kind: The file system; empty for a bind mount.
        flags: As mount(2) takes them.
        options: Of the file system.

    Raises:
        OSError: If the kernel refuses.
    """
    _call("mount", *(os.fsencode(one) for one in (source, target, kind)), flags, options.encode())


def unmount(folder: str) -> None:
    """Take a file system away at once, whoever still uses it; nothing happens if there is none."""
    with contextlib.suppress(OSError):
        _call("umount2", folder.encode(), MNT_DETACH)


def namespaces_allowed() -> str:
    """Why a PID namespace with its own /proc can't be had here; empty if it can.

    Tried in a child process, so that the caller stays where it is.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        refusal = "it ended at once"
        try:
            become_subreaper()
            grandchild, refusal = _attempt(lambda: os._exit(0), private=True)
            os.waitpid(grandchild, 0)
        finally:
            os.write(writing, refusal.encode())
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answers:
        kind = answers.read()
    os.waitpid(child, 0)
    return "" if kind == PRIVATE else kind
