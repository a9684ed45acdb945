"""The project folder that a stack was started from, told apart from other checkouts of it."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path
from typing import NamedTuple, Self

from stackproof.errors import Refused

AT_FDCWD = -100
STATX_BTIME = 0x800
_STATX_SIZE, _STATX_MASK, _STATX_BORN = 256, 0, 80
"""Size and places of `struct statx`; see statx(2)."""


class Checkout(NamedTuple):
    """A project folder, which stays the same when it is renamed or reached by another path.

    Attributes:
        folder: Its path, without links.
        device: The file system that it lies in.
        inode: Its number there, which a later folder may get.
        born: When it was made, in nanoseconds; 0 where the file system does not say.
    """

    folder: str
    device: int
    inode: int
    born: int

    @classmethod
    def of(cls, root: Path) -> Self:
        """The checkout in a folder."""
        path = root.resolve()
        try:
            found = path.stat()
        except OSError:  # removed meanwhile: its path alone is left to go by
            return cls(str(path), 0, 0, 0)
        return cls(str(path), found.st_dev, found.st_ino, _born(path))

    def is_same(self, other: Checkout) -> bool:
        """Whether both are one folder, or the later one stands where the earlier one did."""
        return self.folder == other.folder or (self.inode != 0 and self[1:] == other[1:])

    def is_gone(self) -> bool:
        """Whether nothing is there any more."""
        return not Path(self.folder).is_dir()


def _born(path: Path) -> int:
    """When a folder was made, which Python's own `stat` does not tell on Linux."""
    statx = getattr(ctypes.CDLL(None), "statx", None)
    about = ctypes.create_string_buffer(_STATX_SIZE)
    if statx is None or statx(AT_FDCWD, os.fsencode(path), 0, STATX_BTIME, about) != 0:
        return 0
    (mask,) = struct.unpack_from("I", about, _STATX_MASK)
    seconds, nanoseconds = struct.unpack_from("qI", about, _STATX_BORN)
    return int(seconds * 10**9 + nanoseconds) if mask & STATX_BTIME else 0


def refuse_other_checkout(project: str, owner: Checkout, here: Checkout, what: str) -> None:
    """Make sure that what a command works on belongs to the folder that it was given in.

    Args:
        project: Name of the copy.
        owner: Where it was started from.
        here: The folder of the command.
        what: Subject and verb: `shop-e2e belongs`, `the kept data of shop-e2e belong`.

    Raises:
        Refused: If it belongs to another folder.
    """
    if owner.is_same(here):
        return
    gone, there = "", f"take it down there: `cd {owner.folder} && invoke down`"
    if owner.is_gone():
        gone, there = ", which is gone", f"take it down: `invoke down --project {project}`"
    raise Refused(
        f"{what} to another checkout",
        observed=f"it was started from {owner.folder}{gone}; this is {here.folder}",
        remedy=f"give this copy a name of its own (`--project NAME` or STACKPROOF_PROJECT), or "
        f"{there}",
    )
