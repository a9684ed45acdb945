"""Forks of the supervisor: into the PID namespace of a service, and with no signal to begin with.

Sources: pid_namespaces(7), pidfd_open(2), setns(2), fork(2).
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from stackproof.reaper import kernel


@contextmanager
def opened(inside: int) -> Iterator[int]:
    """A handle of a running process, or -1 for none."""
    handle = os.pidfd_open(inside) if inside else -1
    try:
        yield handle
    finally:
        if handle >= 0:
            os.close(handle)


def fork_into(running: int) -> int:
    """Fork a child into a PID namespace: a new one, or that of a running process.

    Raises:
        ProcessLookupError: If that process has ended.
        OSError: If the kernel refuses.
    """
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    child = -1
    try:
        if running < 0:
            kernel.unshare(kernel.CLONE_NEWPID)
        else:
            kernel.join(running, kernel.CLONE_NEWPID)
        child = fork()
    except OSError as error:
        if running >= 0 and error.errno == errno.ENOMEM:  # what fork(2) says of a dead namespace
            raise ProcessLookupError(errno.ESRCH, "the process to join has ended") from error
        raise
    finally:
        if child:
            kernel.join(own, kernel.CLONE_NEWPID)
        os.close(own)
    return child


def fork() -> int:
    """Fork, with no signal for the child until it wants one.

    A handler of this process must not run in the child: asyncio's would tell this process of it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    child = -1
    try:
        child = os.fork()
    finally:
        if child:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return child
