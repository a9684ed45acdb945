"""Probes of what a machine has once: processes, settings, devices, mounts and rights.

Sources: proc(5), user_namespaces(7), mount_namespaces(7), cgroups(7), shmget(2), prctl(2).
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
from functools import partial

from stackproof.engines.process.receipt.attempts import (
    Attempt,
    RefusedError,
    UntestableError,
    Ways,
)
from stackproof.engines.process.receipt.targets import CONTROL_GROUPS, SYSCTLS, Targets
from stackproof.reaper import kernel

PLACES = ("/mnt", "/media", "/opt", "/srv")
_PR_GET_NO_NEW_PRIVS = 39
_NULL = os.makedev(1, 3)


def processes(targets: Targets) -> Ways:
    """A process outside."""
    yield Attempt("find it in /proc, and send SIGCONT", partial(_signal, targets))
    yield Attempt(f"send a signal to process {targets.pid}", partial(_by_number, targets))


def _found(targets: Targets) -> int:
    """The foreign process, as this one sees it.

    Raises:
        RefusedError: If it is not seen.
    """
    numbers = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    for number in numbers:
        if _name(number) == targets.name:
            return number
    raise RefusedError(f"it is none of the {len(numbers)} processes in /proc")


def _name(number: int) -> str:
    with contextlib.suppress(OSError), open(f"/proc/{number}/comm", encoding="utf-8") as file:
        return file.read().strip()
    return ""


def _signal(targets: Targets) -> str:
    number = _found(targets)
    os.kill(number, signal.SIGCONT)
    return f"process {number} has taken it"


def _by_number(targets: Targets) -> str:
    os.kill(targets.pid, 0)
    if _name(targets.pid) != targets.name:
        raise RefusedError("the number is that of another process, of the service itself")
    return "it would take one"


def memory(targets: Targets) -> Ways:
    """The memory of a process outside."""
    yield Attempt("find it in /proc, and read its memory", partial(_read_memory, targets))


def _read_memory(targets: Targets) -> str:
    number = _found(targets)
    handle = os.open(f"/proc/{number}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        read = os.pread(handle, len(targets.word), targets.place)
    finally:
        os.close(handle)
    if read != targets.word:
        raise RefusedError("what was read is not its memory")
    return f"{len(read)} bytes of process {number} were read"


def shared_memory(targets: Targets) -> Ways:
    """System V shared memory outside."""
    yield Attempt(f"open segment {targets.shared_memory:#x}", partial(_open_segment, targets))


def _open_segment(targets: Targets) -> str:
    if not targets.shared_memory:
        raise UntestableError("no segment could be made")
    kernel.call("shmget", targets.shared_memory, 0, 0)
    return "it was opened"


def settings(_targets: Targets) -> Ways:
    """A setting of the kernel that holds for the whole machine; it gets the value that it has.

    The last one: the process stays in the namespaces that it makes.
    """
    path = next((one for one in SYSCTLS if os.path.exists(one)), SYSCTLS[0])
    yield Attempt(f"write {path}", partial(_rewrite, path))
    yield Attempt(f"write {path} from a user namespace", partial(_rewrite_as_root, path))


def _rewrite(path: str) -> str:
    with open(path, "rb") as file:
        value = file.read()
    handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(handle, value)
    finally:
        os.close(handle)
    return "it was written, with the value that it had"


def _rewrite_as_root(path: str) -> str:
    """Uncover what is read-only, as root of a new user namespace may with mounts of its own."""
    user, group = os.getuid(), os.getgid()
    kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)
    kernel.map_ids(os.getpid(), f"{user} {user} 1", f"{group} {group} 1")
    with contextlib.suppress(OSError):
        kernel.unmount("/proc/sys")
    with contextlib.suppress(OSError):
        kernel.mount("none", "/proc/sys", None, kernel.MS_REMOUNT | kernel.MS_BIND)
    return _rewrite(path)


def devices(targets: Targets) -> Ways:
    """A device node that the service makes, and the kernel's log."""
    for folder in ("/dev", "/tmp"):  # noqa: S108 - the service's own, or everybody's
        path = f"{folder}/{targets.new_name}"
        yield Attempt(f"make device 1:3 in {folder}, and open it", partial(_make_device, path))
    yield Attempt("open /dev/kmsg", partial(_open_device, "/dev/kmsg"))


def _make_device(path: str) -> str:
    os.mknod(path, stat.S_IFCHR | 0o600, _NULL)
    try:
        return _open_device(path)
    finally:
        os.unlink(path)


def _open_device(path: str) -> str:
    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    return "it was opened"


def control_groups(targets: Targets) -> Ways:
    """The machine's control groups."""
    for folder in CONTROL_GROUPS:
        path = f"{folder}/{targets.new_name}"
        yield Attempt(f"make a group in {folder}", partial(_make_group, path))


def _make_group(path: str) -> str:
    os.mkdir(path)
    os.rmdir(path)
    return "it was made, and removed"


def mounts(_targets: Targets) -> Ways:
    """File systems that the service mounts."""
    place = next((one for one in PLACES if os.path.isdir(one)), "/")
    for kind in ("tmpfs", "sysfs", "cgroup2"):
        yield Attempt(f"mount {kind} on {place}", partial(_mount, kind, place))


def _mount(kind: str, place: str) -> str:
    if place == "/":
        raise UntestableError(f"there is none of the folders {', '.join(PLACES)}")
    kernel.mount(kind, place, kind)
    kernel.unmount(place)
    return "it was mounted, and unmounted"


def rights(_targets: Targets) -> Ways:
    """Rights by a set-user-ID program."""
    yield Attempt("ask the kernel whether a program can gain rights", _may_gain)


def _may_gain() -> str:
    if kernel.call("prctl", _PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0):
        raise RefusedError("no_new_privs is set")
    return "no_new_privs is not set"
