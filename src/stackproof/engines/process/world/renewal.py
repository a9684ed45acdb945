"""What is new in a room at each start of its service, as in a container: /proc, /dev/shm, tmpfs.

Called in a process with its own PID and IPC namespaces and its own copy of the room's mounts.
Source: Docker's default read-only and masked paths.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from stackproof.engines.process.world import files
from stackproof.engines.process.world.failures import step
from stackproof.engines.process.world.files import NO_PROGRAMS
from stackproof.engines.process.world.mounts import below, mount_memory
from stackproof.engines.process.world.spec import MountSpec, RoomSpec
from stackproof.reaper import kernel
from stackproof.reaper.kernel import MS_BIND, MS_NOEXEC, MS_NOSUID, MS_REC

SHARED_MEMORY = "/dev/shm"  # noqa: S108 - no temporary file
NEW_IN_DEV = (SHARED_MEMORY, "/dev/pts", "/dev/mqueue")
READ_ONLY_IN_PROC = ("bus", "fs", "irq", "sys", "sysrq-trigger")
"""Not divided by namespaces: root of a user namespace with all ids would write the machine's."""

MASKED_IN_PROC = (
    *("acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "sched_debug", "scsi"),
    *("timer_list", "timer_stats"),
)


def renew(spec: RoomSpec, mounts: Sequence[MountSpec]) -> None:
    """Mount what a start finds new.

    Args:
        spec: What is wanted.
        mounts: Its mounts, outer ones first.

    Raises:
        RoomError: Naming the step that failed.
    """
    places = [(os.path.realpath(mount.target), mount) for mount in mounts]
    covered = _open_covered(places)
    with step("mount /proc"):
        _replace_proc()
        for name in READ_ONLY_IN_PROC:
            _freeze(f"/proc/{name}")
        for name in MASKED_IN_PROC:
            files.mask(f"/proc/{name}")
    with step("mount /dev/pts, /dev/shm and /dev/mqueue"):
        options = "newinstance,ptmxmode=0666,mode=0620"
        kernel.mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, options)
        options = f"mode=1777,size={spec.shm_size}"
        kernel.mount("shm", SHARED_MEMORY, "tmpfs", NO_PROGRAMS, options)
        kernel.mount("mqueue", "/dev/mqueue", "mqueue", NO_PROGRAMS)
    _renew_memory(places, covered)
    if spec.read_only:
        with step("make the root read-only"):
            kernel.make_read_only("/", recursive=False)


def _replace_proc() -> None:
    """Mount a new /proc; the kernel takes it only where an older one, uncovered, is seen.

    So the room keeps that of the supervisor, and no service gets to see it.
    """
    kernel.mount("proc", SHARED_MEMORY, "proc", NO_PROGRAMS)
    kernel.unmount("/proc")
    kernel.mount(SHARED_MEMORY, "/proc", None, kernel.MS_MOVE)


def _freeze(path: str) -> None:
    if os.path.exists(path):
        kernel.mount(path, path, None, MS_BIND | MS_REC)
        kernel.make_read_only(path)


def _open_covered(places: Sequence[tuple[str, MountSpec]]) -> dict[str, int]:
    """Handles of mounts that what is new will cover, by their paths."""
    memory = [place for place, mount in places if mount.kind == "tmpfs"]
    return {
        place: os.open(place, os.O_PATH | os.O_CLOEXEC)
        for place, mount in places
        if mount.kind != "tmpfs"
        and (place in NEW_IN_DEV or any(below(place, one) for one in (*NEW_IN_DEV, *memory)))
    }


def _renew_memory(places: Sequence[tuple[str, MountSpec]], covered: dict[str, int]) -> None:
    """Mount each tmpfs empty, and again what has been covered."""
    for place, mount in places:
        with step(f"{mount.kind} on {mount.target}"):
            if mount.kind == "tmpfs":
                mount_memory(mount)
            elif place in covered:
                _mount_again(place, covered.pop(place))


def _mount_again(target: str, handle: int) -> None:
    files.make_place(target, folder=stat.S_ISDIR(os.fstat(handle).st_mode))
    kernel.mount(f"/proc/self/fd/{handle}", target, None, MS_BIND | MS_REC)
    os.close(handle)
