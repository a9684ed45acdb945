"""What a new volume has at first; modes and owners of the files that COPY brought."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
from collections.abc import Iterator, Sequence


def give_tree(shown: str, target: str, owner: tuple[int, int]) -> None:
    """Let a user own a file, or a folder with all that another one has; root has it already.

    Args:
        shown: What tells which files there are.
        target: Where they are.
        owner: User and group.
    """
    if owner == (0, 0):
        return
    for path in _tree(shown, target, deep=True):
        _give(path, *owner)


def _tree(shown: str, target: str, *, deep: bool) -> Iterator[str]:
    yield target
    for folder, folders, names in os.walk(shown) if deep else ():
        below = f"{target}{folder[len(shown) :]}"
        yield from (f"{below}/{name}" for name in (*folders, *names))


def _give(path: str, user: int, group: int) -> None:
    try:
        os.lchown(path, user, group)
    except FileNotFoundError:  # `.dockerignore` leaves it out
        return
    except OSError as error:
        if error.errno != errno.EINVAL:  # a user namespace of one id has no others to give
            raise


def change_files(
    shown: str, target: str, changes: Sequence[tuple[str, str, int, int, bool]]
) -> None:
    """Give files the modes and owners that they have in the image.

    Args:
        shown: What tells which files there are.
        target: Where they are.
        changes: See `MountSpec`.
    """
    for inside, mode, user, group, deep in changes:
        end = "" if inside == "." else f"/{inside}"
        for path in _tree(f"{shown}{end}", f"{target}{end}", deep=deep):
            if mode:
                _change_mode(path, mode)
            else:
                _give(path, user, group)


def _change_mode(path: str, mode: str) -> None:
    try:
        about = os.lstat(path)
        if not stat.S_ISLNK(about.st_mode):
            os.chmod(path, changed_mode(about.st_mode, mode))
    except FileNotFoundError:  # as above
        return


def changed_mode(old: int, written: str) -> int:
    """A mode as chmod(1) changes it, without the kind of the file.

    Args:
        old: What it was, with the kind.
        written: The new one, such as `755` or `u+x,go-w`.
    """
    bits = stat.S_IMODE(old)
    if written.isdigit():
        return int(written, 8)
    for clause in written.split(","):
        who, operation, what = re.split("([-+=])", clause, maxsplit=1)
        runs = stat.S_ISDIR(old) or bits & 0o111
        given = sum(
            value for letter, value in (("r", 4), ("w", 2), ("x", 1))
            if letter in what or (letter == "x" and "X" in what and runs)
        )  # fmt: skip
        shifts = [{"u": 6, "g": 3, "o": 0}[one] for one in (who.replace("a", "ugo") or "ugo")]
        mask = sum(given << shift for shift in set(shifts))
        if operation == "=":
            bits &= ~sum(7 << shift for shift in set(shifts))
        bits = bits & ~mask if operation == "-" else bits | mask
    return bits


def fill_volume(volume: str, folder: str) -> None:
    """Let an empty volume have what the image has in its place, as Docker does.

    Args:
        volume: The volume.
        folder: The image's folder; nothing happens without one, or if it is this machine's.

    Raises:
        OSError: If something can't be copied.
    """
    if not os.path.isdir(folder) or os.listdir(volume):
        return
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return
    shutil.copytree(folder, volume, symlinks=True, dirs_exist_ok=True)
    for inside, folders, names in os.walk(folder):
        copied = f"{volume}/.{inside[len(folder) :]}"  # what a link leads to, not the link
        _own_as(inside, copied)
        for name in (*folders, *names):
            _own_as(f"{inside}/{name}", f"{copied}/{name}")


def _own_as(path: str, copy: str) -> None:
    about = os.lstat(path)
    give_tree("", copy, (about.st_uid, about.st_gid))
