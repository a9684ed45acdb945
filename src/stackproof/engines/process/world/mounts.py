"""What a room's spec wants to lie at which path: binds, overlays and tmpfs, outer ones first.

A path below something that can't be written, such as /usr, gets its place by a read-only overlay of
that folder with the missing names, so that nothing of the machine changes.
Sources: mount(2); overlayfs in the kernel's documentation.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stackproof.engines.process.world import files
from stackproof.engines.process.world.contents import change_files, fill_volume, give_tree
from stackproof.engines.process.world.failures import step
from stackproof.engines.process.world.spec import MountSpec
from stackproof.reaper import kernel
from stackproof.reaper.kernel import MS_NODEV, MS_NOSUID
from stackproof.reaper.removal import remove_tree

NOT_ALLOWED = ("/", "/proc", "/sys", "/dev")


@dataclass(frozen=True)
class Source:
    """What a mount shows, opened before the room's root became the root.

    Attributes:
        handle: O_PATH handle of it.
        upper: Handle of the folder for what is written to an overlay; -1 where there is none.
    """

    handle: int
    upper: int = -1


def outer_first(mounts: Iterable[MountSpec]) -> tuple[MountSpec, ...]:
    """The mounts in the order in which they are made; those of the same path as they are given.

    What the image has comes first: a volume hides all of it that lies below.
    """
    cleaned = (
        MountSpec(**{**vars(mount), "target": os.path.normpath(mount.target)}) for mount in mounts
    )
    return tuple(sorted(cleaned, key=lambda mount: (not mount.of_image, mount.target.count("/"))))


def below(path: str, folder: str) -> bool:
    """Whether a path lies in a folder, and is not the folder."""
    return path.startswith(folder.rstrip("/") + "/")


def open_sources(mounts: Iterable[MountSpec]) -> Mapping[MountSpec, Source]:
    """Open what is shown, while the machine's files are where they are.

    Raises:
        RoomError: If something is missing, or if a target can't be had.
    """
    sources = {}
    for mount in mounts:
        with step(f"{mount.kind} {mount.source or 'memory'} on {mount.target}"):
            _check(mount)
            if mount.kind != "tmpfs":
                upper = _open_upper(mount) if mount.upper else -1
                sources[mount] = Source(os.open(mount.source, os.O_PATH | os.O_CLOEXEC), upper)
    return sources


def _check(mount: MountSpec) -> None:
    if not mount.target.startswith("/"):
        raise OSError(errno.EINVAL, "its target is no absolute path")
    if mount.target in NOT_ALLOWED or below(mount.target, "/proc"):
        raise OSError(errno.EINVAL, f"nothing can be mounted on {mount.target}")
    if mount.kind == "overlay" and not mount.upper:
        raise OSError(errno.EINVAL, "an overlay needs a folder for what is written")


def _open_upper(mount: MountSpec) -> int:
    """Make the folder for what is written, with the rights and the owner of the source."""
    about = os.stat(mount.source)
    written = f"{mount.upper}/files"
    make_work(mount.upper)
    if not os.path.lexists(written):
        if stat.S_ISDIR(about.st_mode):
            os.mkdir(written)
            os.chmod(written, stat.S_IMODE(about.st_mode))
        else:
            shutil.copy2(mount.source, written)
        if os.getuid() == 0 and (about.st_uid, about.st_gid) != (0, 0):
            _give(written, about)
    return os.open(mount.upper, os.O_PATH | os.O_CLOEXEC)


def _give(path: str, about: os.stat_result) -> None:
    try:
        os.chown(path, about.st_uid, about.st_gid)
    except OSError as error:
        if error.errno != errno.EINVAL:  # an owner whom a user namespace of one id doesn't have
            raise


class Mounts:
    """Makes the mounts of a spec in a room's new root.

    Args:
        mounts: What is wanted, outer ones first.
        sources: What is shown.
        machine: Where the machine's root is seen.
    """

    def __init__(
        self, mounts: Sequence[MountSpec], sources: Mapping[MountSpec, Source], machine: str
    ) -> None:
        self._mounts = mounts
        self._sources = sources
        self._machine = machine
        self._places = f"{machine}-places"
        self._lower: dict[str, list[str]] = {}
        self._owned: dict[str, list[tuple[str, MountSpec]]] = {}

    def make(self) -> None:
        """Make them all.

        Raises:
            RoomError: Naming the one that failed.
        """
        with step("make places for mounts"):
            os.mkdir(self._places)
            kernel.mount("tmpfs", self._places, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
            self.make_places("/")
        image = [mount for mount in self._mounts if mount.of_image]
        others = self._mounts[len(image) :]
        self._make_each(image)
        for mount in others:
            if mount.fill:
                with step(f"fill the new volume {mount.source}"):
                    place = os.path.realpath(mount.target)
                    fill_volume(self._path(self._sources[mount].handle), place)
        self._make_each(others)
        with step("make places for mounts"):
            kernel.unmount(self._places)
            os.rmdir(self._places)

    def _make_each(self, mounts: Sequence[MountSpec]) -> None:
        for mount in mounts:
            with step(f"{mount.kind} {mount.source or 'memory'} on {mount.target}"):
                self._make(mount)

    def _make(self, mount: MountSpec) -> None:
        if mount.kind == "tmpfs":
            mount_memory(mount)
            return
        source = self._sources[mount]
        if mount.kind == "bind":
            files.show(self._path(source.handle), mount.target, read_only=mount.read_only)
        else:
            self._overlay(mount, source)
        if mount.read_only:
            self.make_places(os.path.realpath(mount.target))

    def _path(self, handle: int) -> str:
        return f"{self._machine}/proc/self/fd/{handle}"

    def _overlay(self, mount: MountSpec, source: Source) -> None:
        upper = self._path(source.upper)
        if not stat.S_ISDIR(os.fstat(source.handle).st_mode):
            give_tree(f"{upper}/files", f"{upper}/files", mount.owner)
            change_files(f"{upper}/files", f"{upper}/files", mount.changes)
            files.show(f"{upper}/files", mount.target, read_only=mount.read_only)
            return
        files.make_place(mount.target, folder=True)
        lower = self._lower.setdefault(mount.target, [])
        lower.insert(0, self._path(source.handle))  # a later one lies over an earlier one
        mount_overlay(mount.target, lower, upper, self._machine)
        owned = self._owned.setdefault(mount.target, [])
        owned.append((lower[0], mount))
        for shown, one in owned:
            give_tree(shown, mount.target, one.owner)
            change_files(shown, mount.target, one.changes)
        if mount.read_only:
            kernel.make_read_only(mount.target)

    def make_places(self, base: str) -> None:
        """Make the places of all mounts below what has just become read-only.

        Args:
            base: The mount; `/` for the programs of the machine.

        Raises:
            OSError: If the kernel refuses.
        """
        missing: dict[str, list[MountSpec]] = {}
        for mount in self._mounts:
            path = os.path.realpath(mount.target)
            if below(path, base) and not os.path.exists(path):
                parent = _nearest(path)
                if os.statvfs(parent).f_flag & os.ST_RDONLY:
                    missing.setdefault(parent, []).append(mount)
        tops = [one for one in missing if not any(below(one, other) for other in missing)]
        for number, top in enumerate(tops):
            wanted = [
                (os.path.realpath(mount.target), mount)
                for parent, mounts in missing.items()
                for mount in mounts
                if parent == top or below(parent, top)
            ]
            self._extend(top, wanted, f"{self._places}/{len(os.listdir(self._places))}-{number}")

    def _extend(self, top: str, wanted: list[tuple[str, MountSpec]], skeleton: str) -> None:
        about = os.stat(top)
        os.mkdir(skeleton)
        os.chmod(skeleton, stat.S_IMODE(about.st_mode))
        for path, mount in wanted:
            source = self._sources.get(mount)
            folder = source is None or stat.S_ISDIR(os.fstat(source.handle).st_mode)
            files.make_place(skeleton + path[len(top.rstrip("/")) :], folder=folder)
        handle = os.open(top, os.O_PATH | os.O_CLOEXEC)
        try:
            layers = f"userxattr,lowerdir={skeleton}:{self._path(handle)}"
            kernel.mount("overlay", top, "overlay", MS_NODEV | kernel.MS_RDONLY, layers)
        finally:
            os.close(handle)


def mount_overlay(target: str, lower: Sequence[str], upper: str, machine: str) -> None:
    """Mount an overlay that is gone with the run: nothing waits for the disk when it ends.

    Args:
        target: Where.
        lower: What is seen, the uppermost first; paths without characters that overlayfs knows.
        upper: Such a path of the folder that has `files`, for what is written, and `work`.
        machine: Where the machine's root is seen.

    Raises:
        OSError: If the kernel refuses.
    """
    layers = f"lowerdir={':'.join(lower)},upperdir={upper}/files,workdir={upper}/work"
    try:
        kernel.mount("overlay", target, "overlay", MS_NODEV, f"userxattr,volatile,{layers}")
    except OSError as error:
        with open(f"{machine}/proc/self/mountinfo") as table:
            kind = file_system(os.readlink(upper), table.read().splitlines())
        hint = _hint(os.readlink(upper).removeprefix(machine), kind)
        raise OSError(error.errno, f"{error.strerror}{hint}") from error


def _hint(upper: str, kind: str) -> str:
    if kind != "overlay":
        return f" (what is written goes to {upper}, on {kind or 'an unknown file system'})"
    return (
        f": what is written goes to {upper}, which lies on an overlay, and overlayfs takes none "
        "for that; let STACKPROOF_STATE_DIR name a folder on a disk or a tmpfs"
    )


def make_work(upper: str) -> None:
    """Make a folder for overlayfs itself; one that was used before is not taken again."""
    remove_tree(f"{upper}/work")
    os.makedirs(f"{upper}/work")


def mount_memory(mount: MountSpec) -> None:
    """Mount an empty file system in memory.

    Raises:
        OSError: If the kernel refuses.
    """
    files.make_place(mount.target, folder=True)
    options = "mode=1777" + (f",size={mount.size}" if mount.size else "")
    kernel.mount("tmpfs", mount.target, "tmpfs", MS_NOSUID | MS_NODEV, options)
    if mount.read_only:
        kernel.make_read_only(mount.target)


def _nearest(path: str) -> str:
    """The folder nearest above a path that exists."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path


def file_system(path: str, table: Iterable[str]) -> str:
    """The kind of file system that a path lies on; empty if the table doesn't tell.

    Args:
        path: An absolute path.
        table: Lines of /proc/self/mountinfo (proc(5)).
    """
    best, kind = 0, ""
    for line in table:
        fields, _, rest = line.partition(" - ")
        point = fields.split(" ")[4]
        if (point == path or below(path, point)) and len(point) >= best:
            best, kind = len(point), rest.split(" ")[0]
    return kind
