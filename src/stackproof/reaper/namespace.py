"""Linux namespaces: a program as PID 1 of its own, so that its end is the end of all below it.

With them comes one of System V IPC: a PostgreSQL that is killed leaves a shared memory segment.
Sources: pid_namespaces(7), user_namespaces(7), mount_namespaces(7), ipc_namespaces(7), tmpfs(5).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from stackproof.reaper import kernel

PRIVATE, SHARED = "pid", "none"


def spawn(program: Callable[[], None], *, private: bool, world: bool = False) -> tuple[int, str]:
    """Start a program below this process, if possible as PID 1 of a PID namespace.

    The caller must be a subreaper: the process in between ends at once, and the program becomes
    the caller's own child.

    Args:
        program: Called in the new process; replaces it, or ends it.
        private: Whether to try for a namespace with a /proc of its own.
        world: Whether it must have all rights in namespaces of its own, and none outside: as
            root of a user namespace.

    Returns:
        The new process's number as the caller sees it, and `pid` where it has a namespace of its
        own, else why not.

    Raises:
        OSError: If a private world can't be had.
    """
    if world:
        child, kind = _attempt(program, private=True, world=True)
        if kind != PRIVATE:
            os.waitpid(child, 0)
            raise OSError(f"a private world can't be had: {kind}")
        return child, kind
    if not private:
        return _attempt(program, private=False)
    child, kind = _attempt(program, private=True)
    if kind == PRIVATE:
        return child, kind
    os.waitpid(child, 0)
    child, _ = _attempt(program, private=False)
    return child, f"{SHARED}: {kind}"


def _attempt(program: Callable[[], None], *, private: bool, world: bool = False) -> tuple[int, str]:
    reading, writing = os.pipe()
    maps = _UserMaps() if world else None
    middle = os.fork()
    if middle == 0:
        os.close(reading)
        separate = maps.separate if maps else _separate if private else _nothing
        _start_from_the_middle(program, writing, separate, private=private)
    os.close(writing)
    if maps is not None:
        maps.write(middle)
    with os.fdopen(reading) as answers:
        told = dict(line.rstrip("\n").split("=", 1) for line in answers)
    os.waitpid(middle, 0)
    return int(told["pid"]), told.get("kind", "it ended at once")


def _start_from_the_middle(
    program: Callable[[], None], writing: int, separate: Callable[[], None], *, private: bool
) -> None:
    refusal = _try(separate)
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
    wanted = kernel.CLONE_NEWPID | kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC
    if user == 0:
        kernel.unshare(wanted)
        return
    kernel.unshare(kernel.CLONE_NEWUSER | wanted)
    kernel.map_ids(os.getpid(), f"{user} {user} 1", f"{group} {group} 1")


def _nothing() -> None:
    """Enter no namespace."""


class _UserMaps:
    """The numbers of users and groups in a new user namespace, which its parent has to write.

    Root has every user in it that it has now; anybody else is its root, and knows nobody else.
    """

    def __init__(self) -> None:
        self._entered, self._tell_entered = os.pipe()
        self._written, self._tell_written = os.pipe()

    def separate(self) -> None:
        """Enter new namespaces, and wait until the numbers are known; called in the child."""
        os.close(self._entered)
        os.close(self._tell_written)
        kernel.unshare(kernel.CLONE_NEWUSER)
        os.write(self._tell_entered, b".")
        os.close(self._tell_entered)
        if not os.read(self._written, 1):
            raise OSError("the numbers of its users could not be written")
        os.close(self._written)
        kernel.unshare(
            kernel.CLONE_NEWPID | kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
        )

    def write(self, pid: int) -> None:
        """Write them for a child that has entered its namespace; called in the parent."""
        os.close(self._tell_entered)
        os.close(self._written)
        user, group = os.getuid(), os.getgid()
        users, groups = f"0 {user} 1", f"0 {group} 1"
        if user == 0:
            users, groups = kernel.same_ids("uid"), kernel.same_ids("gid")
        try:
            if os.read(self._entered, 1):
                kernel.map_ids(pid, users, groups)
                os.write(self._tell_written, b".")
        except OSError:
            pass  # the child sees it, and says so
        finally:
            os.close(self._entered)
            os.close(self._tell_written)


def _mount_own_proc() -> None:
    """Show only the namespace's own processes in /proc; without that, numbers would be mixed up."""
    kernel.make_mounts_private()
    no_programs = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    kernel.mount("proc", "/proc", "proc", no_programs)


def mount_tmpfs(folder: str, size: str) -> None:
    """Put an empty file system in memory on a folder, seen only in this mount namespace.

    Args:
        folder: Where.
        size: How much it may hold, as tmpfs(5) takes it: `16m`, `1048576`, `10%`.

    Raises:
        OSError: If the kernel refuses.
    """
    flags = kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("tmpfs", folder, "tmpfs", flags, f"size={size},mode=1777")


def unmount(folder: str) -> None:
    """Take a file system away at once, whoever still uses it; nothing happens if there is none."""
    with contextlib.suppress(OSError):
        kernel.unmount(folder)


def namespaces_allowed() -> str:
    """Why a PID namespace with its own /proc can't be had here; empty if it can.

    Tried in a child process, so that the caller stays where it is.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        refusal = "it ended at once"
        try:
            kernel.become_subreaper()
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
