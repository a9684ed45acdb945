"""The last steps of a new process in a room, from its streams to the program.

Sources: execve(2), close_range(2), signal(7), session(7 of credentials), umask(2).
"""

from __future__ import annotations

import fcntl
import os
import resource
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from stackproof.engines.process.world import identity
from stackproof.engines.process.world.failures import step

USUAL_UMASK = 0o022
_FIRST_OTHER = 3
_MOST_HANDLES = 0x7FFFFFFF


@dataclass(frozen=True)
class Program:
    """A program that a room starts.

    Attributes:
        argv: Program and arguments; a name without a slash is looked up in the PATH of `env`.
        env: The whole environment.
        cwd: Folder of the room to start in.
        streams: File descriptors of its input, output and error output.
        uid: Numeric user.
        gid: Numeric group.
        one_id: Whether there is a single id to have.
        limits: As in `RoomSpec`.
        capabilities: The same.
        work: What is called in place of a program; None for the program.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    streams: tuple[int, int, int]
    uid: int
    gid: int
    one_id: bool
    limits: Mapping[str, tuple[int, int]]
    capabilities: tuple[int, ...] | None
    work: Callable[[], None] | None = None


def become(program: Program, pipe: int) -> None:
    """Become the program; called in the new process, which is in its namespaces.

    Args:
        program: What it becomes.
        pipe: Closed when the program begins.

    Raises:
        OSError: As `subprocess` raises it: of the folder, or of the program.
        RoomError: If rights can't be given up.
    """
    os.setsid()
    reset_signals()
    os.umask(USUAL_UMASK)
    enter_folder(program.cwd)
    for name, bounds in program.limits.items():
        with step(f"set the limit {name} to {bounds[0]} and {bounds[1]}"):
            limit(name, *bounds)
    with step("give up rights"):
        identity.become(program.uid, program.gid, program.capabilities, one_id=program.one_id)
    if program.work is not None:
        os.close(pipe)
        program.work()
        os._exit(0)
    argv = list(program.argv)
    try:
        os.execvpe(argv[0], argv, dict(program.env))  # noqa: S606 - that is the aim
    except OSError as error:
        raise OSError(error.errno, error.strerror, argv[0]) from error


def limit(name: str, soft: int, hard: int) -> None:
    """Bound what this process and its children may use, as far as this machine allows it."""
    number = int(getattr(resource, f"RLIMIT_{name.upper()}"))
    highest = resource.getrlimit(number)[1]
    resource.setrlimit(number, (_lower(soft, highest), _lower(hard, highest)))


def cut_short(limits: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    """Each limit that this machine does not allow, in words."""
    for name, (_, hard) in limits.items():
        highest = resource.getrlimit(int(getattr(resource, f"RLIMIT_{name.upper()}")))[1]
        if _lower(hard, highest) != hard:
            asked = "no bound" if hard < 0 else hard
            yield f"its limit {name} is {highest}, not {asked}: this machine gives you no more"


def _lower(one: int, other: int) -> int:
    """The lower of two bounds, of which -1 is none."""
    found = [bound for bound in (one, other) if bound != resource.RLIM_INFINITY]
    return min(found, default=resource.RLIM_INFINITY)


def keep_streams(streams: tuple[int, int, int], *others: int) -> list[int]:
    """Make three descriptors 0, 1 and 2, others the next, and close all that are left.

    Args:
        streams: The three.
        others: What a program does not get.

    Returns:
        The new numbers of the others.
    """
    kept = (*streams, *others)
    above = [fcntl.fcntl(one, fcntl.F_DUPFD, len(kept)) for one in kept]
    for number, handle in enumerate(above):
        os.dup2(handle, number, inheritable=number < _FIRST_OTHER)
    os.closerange(len(kept), _MOST_HANDLES)
    return [*range(_FIRST_OTHER, len(kept))]


def reset_signals() -> None:
    """Let each signal do what it does by default, and let none wait."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) is not signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def enter_folder(path: str) -> None:
    """Make a folder of the room the current one.

    Raises:
        OSError: If it can't be, with the path.
    """
    handle = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fchdir(handle)
    finally:
        os.close(handle)
