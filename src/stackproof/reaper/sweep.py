"""Finding and ending processes safely: whole trees, by start time, so that no recycled pid is hit.

Standard library only, read straight from /proc (proc(5)), since the reaper and the supervisor load
this module.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

PROC = "/proc"
PAUSE = 0.002

QUIET_LOOKS = 3
"""So often nothing must be found: a process that forks and ends escapes a single look."""

MOST_LOOKS = 200


class ProcessId(NamedTuple):
    """A process that can't be mistaken for a later one with the same number.

    Attributes:
        pid: Its number.
        start_time: Clock ticks between boot and its start (field 22 of /proc/PID/stat).
    """

    pid: int
    start_time: int

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """The process that has this number now; None where there is none, or only a zombie."""
        fields = _stat(pid)
        if fields is None or fields[0] in {"Z", "X"}:
            return None
        return cls(pid, int(fields[19]))

    @classmethod
    def current(cls) -> ProcessId:
        """The calling process."""
        found = cls.of(os.getpid())
        return found if found is not None else cls(os.getpid(), 0)

    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        return ProcessId.of(self.pid) == self

    def is_stopped(self) -> bool:
        """Whether this very process is frozen by a signal such as SIGSTOP."""
        fields = _stat(self.pid)
        return fields is not None and fields[0] == "T" and int(fields[19]) == self.start_time

    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return not self.is_alive()

    def kill(self, number: int = signal.SIGKILL) -> bool:
        """Send a signal to this very process; tells whether it was there."""
        try:
            handle = os.pidfd_open(self.pid)
        except OSError:
            return False
        try:
            if not self.is_alive():  # checked after opening: the handle can't be recycled
                return False
            signal.pidfd_send_signal(handle, number)
        except OSError:
            return False
        else:
            return True
        finally:
            os.close(handle)


def _stat(pid: int | str) -> list[str] | None:
    """Fields of /proc/PID/stat from the state (field 3) on."""
    try:
        with open(f"{PROC}/{pid}/stat", "rb") as file:
            text = file.read().decode(errors="replace")
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()


def all_pids() -> Iterator[int]:
    """Every process number that is visible."""
    for name in os.listdir(PROC):
        if name.isdigit():
            yield int(name)


def descendants(root: int) -> list[ProcessId]:
    """Every living process below another one, nearest first.

    Args:
        root: Number of the process to start from; itself left out.
    """
    children: dict[int, list[ProcessId]] = {}
    for pid in all_pids():
        fields = _stat(pid)
        if fields is not None and fields[0] not in {"Z", "X"}:
            children.setdefault(int(fields[1]), []).append(ProcessId(pid, int(fields[19])))
    found: list[ProcessId] = []
    waiting = [root]
    while waiting:
        below = children.pop(waiting.pop(0), [])
        found.extend(below)
        waiting.extend(child.pid for child in below)
    return found


def kill_all(processes: Iterable[ProcessId]) -> None:
    """Freeze, then end processes: a frozen one can't start another in between."""
    listed = list(processes)
    for process in listed:
        process.kill(signal.SIGSTOP)
    for process in listed:
        process.kill(signal.SIGKILL)


def kill_descendants(root: int, *, seconds: float) -> list[ProcessId]:
    """End everything below a process, whatever sessions it has fled to.

    The root must be a subreaper, or PID 1, so that orphans stay below it.

    Args:
        root: Number of the process to start from; itself left alone.
        seconds: How long to go on at the most.

    Returns:
        What is still alive.
    """
    end = time.monotonic() + seconds
    is_own = root == os.getpid()
    quiet = 0
    while True:
        left = descendants(root)
        quiet = 0 if left else quiet + 1
        if is_own and not reap():
            return []
        if quiet == QUIET_LOOKS or time.monotonic() > end:
            return left
        kill_all(left)
        time.sleep(PAUSE)


def reap() -> bool:
    """Collect every child that has ended, without waiting; tells whether there are others."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def kill_marked(mark: str) -> int:
    """End every process whose environment carries a mark, except this one; tells how many.

    Args:
        mark: A whole entry, such as `STACKPROOF_RUN=3f2a`.
    """
    ended: set[int] = set()
    quiet = 0
    for _ in range(MOST_LOOKS):
        found = [process for process in marked(mark) if process.pid != os.getpid()]
        quiet = 0 if found else quiet + 1
        if quiet == QUIET_LOOKS:
            break
        ended.update(process.pid for process in found)
        kill_all(found)
        time.sleep(PAUSE)
    return len(ended)


def marked(*marks: str) -> list[ProcessId]:
    """Every process of this user whose environment carries all of some marks.

    Args:
        marks: Whole entries, such as `STACKPROOF_RUN=3f2a`.
    """
    wanted = [b"\0" + mark.encode() + b"\0" for mark in marks]
    found = []
    for pid in all_pids():
        process = ProcessId.of(pid)
        with contextlib.suppress(OSError):
            with open(f"{PROC}/{pid}/environ", "rb") as file:
                entries = b"\0" + file.read() + b"\0"
            if process is not None and all(mark in entries for mark in wanted):
                found.append(process)
    return found
