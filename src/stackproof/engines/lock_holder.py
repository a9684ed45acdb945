"""Waiting for the lock of a cache entry, unless its holder is stopped and can't give it back."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import IO

from stackproof.errors import StackBusy
from stackproof.reaper.sweep import PROC, ProcessId

PAUSE = 0.02
STOPPED_SECONDS = 3.0
"""How long a holder may be stopped, as by a debugger."""


def take(file: IO[str], how: int, path: Path) -> None:
    """Take the lock of an open file; waits as long as its holder is at work.

    Args:
        file: The lock's file.
        how: LOCK_SH or LOCK_EX.
        path: The entry, for the error.

    Raises:
        StackBusy: If the holder is stopped.
    """
    since = time.monotonic()
    while True:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _stopped_holder(file)
            if holder is None:
                since = time.monotonic()
            elif time.monotonic() - since >= STOPPED_SECONDS:
                raise _busy(path, holder) from None
            time.sleep(PAUSE)
        else:
            return


def _busy(path: Path, holder: ProcessId) -> StackBusy:
    return StackBusy(
        f"another command makes or uses {path}, and is stopped",
        observed=f"process {holder.pid} holds its lock, and is stopped (state T in /proc)",
        remedy=f"`kill -CONT {holder.pid}` lets it go on; or end it",
    )


def _stopped_holder(file: IO[str]) -> ProcessId | None:
    """A stopped process that has the lock of a file, looked up in /proc/locks (proc(5))."""
    about = os.fstat(file.fileno())
    place = f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}:{about.st_ino}"
    try:
        lines = Path(PROC, "locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for words in map(str.split, lines):
        if len(words) == 8 and words[1] == "FLOCK" and words[5] == place:  # noqa: PLR2004 - proc(5)
            process = ProcessId.of(int(words[4]))
            if process is not None and process.is_stopped():
                return process
    return None
