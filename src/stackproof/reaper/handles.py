"""What a reaper waits on: the end of its owner and its supervisor, and its own signals."""

from __future__ import annotations

import os
import signal

from stackproof.reaper.sweep import ProcessId


def watch(owner: ProcessId) -> int | None:
    """A handle that becomes readable when the owner ends; None if it has ended already."""
    try:
        handle = os.pidfd_open(owner.pid)
    except OSError:
        return None
    if owner.is_alive():
        return handle
    os.close(handle)
    return None


def signals_as_bytes() -> int:
    """Turn signals into bytes of a pipe; a closed terminal (SIGHUP) must not matter at all."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return reading


_children: set[int] = set()
"""Reapers that this process has started, and that the kernel still knows."""

_statuses: dict[int, int] = {}
"""How others have ended."""


def note_child(child: int) -> None:
    """Keep a reaper among those that this process has started.

    Args:
        child: Its number.
    """
    _statuses.pop(child, None)
    _children.add(child)


def forget_ended() -> None:
    """Let the kernel forget reapers that have ended: a long session has a thousand of them."""
    for child in tuple(_children):
        try:
            pid, status = os.waitpid(child, os.WNOHANG)
        except ChildProcessError:  # another thread was first, or it is the parent's
            _children.discard(child)
            continue
        if pid == child:
            _statuses[child] = os.waitstatus_to_exitcode(status)
            _children.discard(child)


def how_it_ended(child: int) -> str:
    """How a child of this process has ended, which stays to be asked for.

    Args:
        child: Its number.
    """
    try:
        found = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    except ChildProcessError:
        found = None
    if found is not None:
        code = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
    elif child in _statuses:
        code = _statuses[child]
    else:
        return "has ended"
    if code >= 0:
        return f"ended with status {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
