"""One command at a time on one copy of a stack: a lock that ends with its holder, and no file.

All locks of a user are bytes of one file in a folder of this user's (fcntl(2), open file
description locks): a killed holder leaves none behind, nobody else can take one, and nothing has to
be removed. The file's contents say who has taken a lock last.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import struct
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from stackproof.errors import StackBusy, StackproofError
from stackproof.reaper import ownership
from stackproof.reaper.leftovers import refused
from stackproof.reaper.ownership import NotOurs
from stackproof.reaper.run_folder import RunFolder, state_base
from stackproof.reaper.sweep import ProcessId

FILE = "locks"

_FLOCK = struct.Struct("hhqqi0q")
"""`struct flock` of 64-bit Linux: type, whence, start, length, process."""

_HOLDER = struct.Struct("qq")
_HOLDERS = 4096
"""So many holders are remembered, for messages alone."""


class ProjectLock:
    """Held while a command starts, changes or ends a run.

    Args:
        run: The run.
        environment: The process environment, which says where the user's folders are.
    """

    def __init__(self, run: RunFolder, environment: Mapping[str, str]) -> None:
        self.run = run
        self.folder = state_base(environment)
        digest = hashlib.sha256(os.fsencode(run.path)).digest()
        self.number = int.from_bytes(digest[:6], "big")
        self._held: int | None = None

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            StackBusy: If another command has it.
            Refused: If somebody else could have made the file, or its folder.
        """
        file = self._open()
        try:
            _take(file, self.number)
        except BlockingIOError:
            holder = self._holder(file)
            os.close(file)
            raise StackBusy(
                f"another command is working on {self.run.project}",
                observed=holder,
                remedy="wait until it has ended, or end it",
            ) from None
        except OSError as error:
            os.close(file)
            raise self._no_lock(error) from None
        with contextlib.suppress(OSError):  # a full disk: only messages need it
            os.pwrite(file, _HOLDER.pack(self.number, os.getpid()), self._place())
        self._held = file
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the lock back."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _open(self) -> int:
        try:
            with ownership.opened(str(self.folder), make=True) as folder:
                return ownership.open_shared(folder, FILE, str(self.folder))
        except NotOurs as error:
            raise refused(error) from None
        except OSError as error:
            raise self._no_lock(error) from None

    def _no_lock(self, error: OSError) -> StackproofError:
        return StackproofError(
            f"the lock of {self.run.project} can't be taken",
            observed=f"{self.folder / FILE}: {error.strerror or error}",
            remedy="make that folder writable, or set XDG_CACHE_HOME to one that is",
        )

    def _place(self) -> int:
        return self.number % _HOLDERS * _HOLDER.size

    def _holder(self, file: int) -> str:
        """Who has taken the lock last."""
        data = os.pread(file, _HOLDER.size, self._place())
        number, pid = _HOLDER.unpack(data) if len(data) == _HOLDER.size else (-1, 0)
        if number != self.number:
            return "it has just begun, or just ended"
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as named:
                command = named.read().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            return "it has just ended"
        with contextlib.suppress(OSError):
            command += f" (in {os.readlink(f'/proc/{pid}/cwd')})"
        process = ProcessId.of(pid)
        is_stopped = process is not None and process.is_stopped()
        state = f", which is stopped: `kill -CONT {pid}` lets it go on" if is_stopped else ""
        return f"process {pid}: {command}{state}"


def _take(file: int, number: int) -> None:
    """Lock one byte, which need not exist.

    Raises:
        BlockingIOError: If another open file has it.
    """
    fcntl.fcntl(file, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, number, 1, 0))
