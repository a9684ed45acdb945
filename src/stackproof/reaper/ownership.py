"""Tells what only this user can have made from what others can change, before it is read.

A folder is this user's if it can't be replaced or written to by anybody but this user and root.
That is looked at from `/` on, each step by descriptor and without following a link of somebody
else, so the path can be used afterwards: nobody else can change where it leads. Standard library
only, and little of it, since the reaper loads this module.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Iterator

LARGEST_FILE = 16 << 20
"""No file that is read at once, such as a record, is longer."""

MOST_LINKS = 40
PRIVATE_FILE = 0o600
_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)

_making = threading.Lock()


class NotOurs(PermissionError):
    """Somebody else has made a file or folder, or can change it.

    Args:
        path: Which.
        why: What was found.
    """

    def __init__(self, path: str, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(f"{path}: {why}")


def folder_mode() -> int:
    """The mode of a folder of runs: root's servers run as `nobody`, and must pass through."""
    return 0o711 if os.geteuid() == 0 else 0o700


def open_folder(path: str, *, make: bool = False) -> int:
    """Open a folder that is this user's; the caller closes the handle.

    Args:
        path: An absolute path.
        make: Make it, and the parents that are missing.

    Raises:
        NotOurs: If somebody else could have made it, or can change it.
        OSError: If it is not there or is no folder.
    """
    walk = _Walk(path)
    try:
        while walk.waiting:
            walk.step(make=make)
        _refuse_foreign(os.fstat(walk.handle), path)
    except BaseException:
        os.close(walk.handle)
        raise
    return walk.handle


class _Walk:
    """The way from `/` to a folder, by one name after the other.

    Args:
        path: An absolute path.
    """

    def __init__(self, path: str) -> None:
        self.waiting = _names(path)
        self.handle = os.open("/", _FOLDER)
        self.reached = "/"
        self.links = 0
        self.trusted = {0, os.geteuid(), os.fstat(self.handle).st_uid}

    def step(self, *, make: bool) -> None:
        """Open the next folder, or follow a link that nobody else has made."""
        name = self.waiting.pop()
        _refuse_open_parent(self.handle, self.reached)
        place = os.path.join(self.reached, name)
        try:
            found = _entry(self.handle, name, make=make)
        except OSError as error:
            raise OSError(error.errno, error.strerror, place) from None
        if found.st_uid not in self.trusted:
            raise NotOurs(place, f"it belongs to {user_name(found.st_uid)}")
        if stat.S_ISLNK(found.st_mode):
            name, place = self._follow(name, place)
        try:
            further = os.open(name, _FOLDER, dir_fd=self.handle)
        except NotADirectoryError:
            raise NotADirectoryError(errno.ENOTDIR, "it is not a folder", place) from None
        os.close(self.handle)
        self.handle, self.reached = further, place

    def _follow(self, name: str, place: str) -> tuple[str, str]:
        self.links += 1
        if self.links > MOST_LINKS or not self.waiting:
            raise NotADirectoryError(errno.ENOTDIR, "it is a link", place)
        target = os.readlink(name, dir_fd=self.handle)
        self.waiting += _names(target)
        return ("/", "/") if target.startswith("/") else (".", self.reached)


def _names(path: str) -> list[str]:
    """The names in a path, the last one first."""
    return [part for part in reversed(path.split("/")) if part not in {"", "."}]


def _entry(handle: int, name: str, *, make: bool) -> os.stat_result:
    try:
        return os.stat(name, dir_fd=handle, follow_symlinks=False)
    except FileNotFoundError:
        if not make:
            raise
    try:
        make_folder(name, handle)
    except FileExistsError:  # whoever has made it: it is looked at below
        pass
    except FileNotFoundError:
        if os.fstat(handle).st_nlink:  # its parent is there: no folder can be made in /proc
            raise PermissionError(errno.EPERM, "no folder can be made there") from None
        raise
    return os.stat(name, dir_fd=handle, follow_symlinks=False)


def make_folder(name: str, handle: int) -> None:
    """Make a folder in another one, with its mode whatever the umask is.

    Raises:
        FileExistsError: If there is anything of that name.
    """
    os.mkdir(name, folder_mode(), dir_fd=handle)
    if os.geteuid() == 0:
        made = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
        try:
            _refuse_foreign(os.fstat(made), name)
            os.fchmod(made, folder_mode())
        finally:
            os.close(made)


def make_folders(path: str) -> None:
    """Make a folder in a run, and the parents that are missing, whatever the umask is.

    Threads that make the same one wait for each other: none finds it before it has its mode.
    """
    with _making:
        _make_folders(path)


def _make_folders(path: str) -> None:
    missing: list[str] = []
    while not os.path.isdir(path):
        path, name = os.path.split(path)
        missing.append(name)
    for name in reversed(missing):
        handle = os.open(path, _FOLDER)
        try:
            with contextlib.suppress(FileExistsError):
                make_folder(name, handle)
        finally:
            os.close(handle)
        path = os.path.join(path, name)


def _refuse_open_parent(handle: int, path: str) -> None:
    """Others may write to a parent only where they can't rename what is not theirs (`/tmp`)."""
    found = os.fstat(handle)
    if others_write(found) and not found.st_mode & stat.S_ISVTX:
        raise NotOurs(path, f"others can write to it (mode {stat.S_IMODE(found.st_mode):04o})")


def _refuse_foreign(found: os.stat_result, path: str) -> None:
    if found.st_uid != os.geteuid():
        raise NotOurs(path, f"it belongs to {user_name(found.st_uid)}")
    if others_write(found):
        raise NotOurs(path, f"others can write to it (mode {stat.S_IMODE(found.st_mode):04o})")


def _refuse_special(found: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise NotOurs(path, "it is not a file")


def others_write(found: os.stat_result) -> bool:
    """Whether somebody else has the right to write; a group of this user alone is nobody else."""
    if found.st_mode & stat.S_IWOTH:
        return True
    return bool(found.st_mode & stat.S_IWGRP) and not _is_private_group(found.st_gid)


def _is_private_group(gid: int) -> bool:
    """Whether a group is this user's own, as distributions make one for each user."""
    import grp
    import pwd

    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(gid)
    except KeyError:
        return False
    is_own = user.pw_gid == gid and group.gr_name == user.pw_name
    return is_own and set(group.gr_mem) <= {user.pw_name}


def user_name(uid: int) -> str:
    """A user, as messages name one."""
    import pwd

    try:
        return f"user {uid} ({pwd.getpwuid(uid).pw_name})"
    except KeyError:
        return f"user {uid}"


@contextlib.contextmanager
def opened(path: str, *, make: bool = False) -> Iterator[int]:
    """The same as `open_folder` for as long as a block lasts."""
    handle = open_folder(path, make=make)
    try:
        yield handle
    finally:
        os.close(handle)


def read_file(folder: str, name: str) -> bytes:
    """The contents of a file that is this user's, in a folder that is.

    Args:
        folder: An absolute path.
        name: The file's name.

    Raises:
        NotOurs: If somebody else could have written it.
        OSError: If it is not there, or can't be read.
    """
    with opened(folder) as handle:
        return read_in(handle, name, folder)


def read_in(handle: int, name: str, folder: str) -> bytes:
    """The same in a folder that has been opened."""
    file = _open_file(handle, name, folder, os.O_RDONLY)
    with os.fdopen(file, "rb") as reading:
        return reading.read(LARGEST_FILE)


def open_shared(handle: int, name: str, folder: str) -> int:
    """Open a file that several processes of this user use; made if there is none."""
    while True:
        with contextlib.suppress(FileExistsError):
            create_in(handle, name, b"")
        with contextlib.suppress(FileNotFoundError):  # another one has just removed it
            return _open_file(handle, name, folder, os.O_RDWR)


def _open_file(handle: int, name: str, folder: str, access: int) -> int:
    path = os.path.join(folder, name)
    flags = access | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        file = os.open(name, flags, dir_fd=handle)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotOurs(path, "it is a link") from None
        raise
    try:
        found = os.fstat(file)
        _refuse_foreign(found, path)
        _refuse_special(found, path)
    except BaseException:
        os.close(file)
        raise
    return file


def create_in(handle: int, name: str, data: bytes) -> None:
    """Write a new file of this user's in a folder that has been opened.

    Raises:
        FileExistsError: If there is anything of that name.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(name, flags, PRIVATE_FILE, dir_fd=handle)
    with os.fdopen(file, "wb") as writing:
        os.fchmod(file, PRIVATE_FILE)
        writing.write(data)


def write_in(handle: int, name: str, data: bytes) -> None:
    """Write a file of this user's whole, or not at all, in a folder that has been opened."""
    draft = f"{name}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(draft, dir_fd=handle)
    create_in(handle, draft, data)
    os.rename(draft, name, src_dir_fd=handle, dst_dir_fd=handle)


def write_file(folder: str, name: str, data: bytes) -> None:
    """Write a file of this user's whole, or not at all, in a folder that is."""
    with opened(folder) as handle:
        write_in(handle, name, data)
