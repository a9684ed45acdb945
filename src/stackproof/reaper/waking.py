"""Reapers that a signal has stopped: found by their mark, and let go on with their work.

A stopped reaper sees no death, answers nothing, and would stay for ever, even where its run folder
is gone and no record names it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from stackproof.reaper.sweep import PROC, ProcessId, all_pids

MARK = "STACKPROOF_REAPER"
"""Variable of each reaper's environment, with the path of its run folder."""

LOOK_SECONDS = 0.5
"""How often it is looked whether a process that is waited for is stopped."""


def stopped_reapers(root: Path) -> Iterator[tuple[ProcessId, Path]]:
    """Every stopped reaper below a state root, with the folder of its run.

    Args:
        root: The state root.
    """
    runs = root / "runs"
    beginning = f"{MARK}={runs}{os.sep}".encode()
    for pid in all_pids():
        process = ProcessId.of(pid)
        if process is None or not process.is_stopped():
            continue
        with contextlib.suppress(OSError):
            about = Path(PROC, str(pid))
            if about.stat().st_uid != os.getuid():
                continue
            entries = (about / "environ").read_bytes().split(b"\0")
            for entry in entries:
                if entry.startswith(beginning):
                    yield process, runs / os.fsdecode(entry[len(beginning) :])


def wait_for_end(process: ProcessId, seconds: float) -> bool:
    """Wait until a process has ended, and let it go on whenever it is stopped meanwhile.

    Args:
        process: The process.
        seconds: How long to wait at the most.

    Returns:
        Whether it has ended.
    """
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return True
    end = time.monotonic() + seconds
    try:
        while process.is_alive():
            if process.is_stopped():
                process.kill(signal.SIGCONT)
            left = end - time.monotonic()
            if left <= 0:
                return False
            select.select([handle], [], [], min(left, LOOK_SECONDS))
    finally:
        os.close(handle)
    return True
