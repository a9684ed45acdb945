"""Child processes of the supervisor: started, and every one of them reaped, orphans included."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from stackproof.engines.process.world.forking import fork
from stackproof.engines.process.world.program import keep_streams, reset_signals
from stackproof.reaper import kernel


@dataclass(frozen=True)
class Child:
    """A process that the supervisor has started.

    Attributes:
        pid: Its number, which is also that of its session and process group.
        ended: Its exit status when it has ended; negative is minus the signal's number.
    """

    pid: int
    ended: asyncio.Future[int]

    def send(self, number: int) -> None:
        """Send it a signal; nothing happens if it has ended."""
        if not self.ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def send_group(self, number: int) -> None:
        """Send its process group a signal."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


def _in_the_child(before: Callable[[], None] | None, uid: int | None) -> Callable[[], None] | None:
    """What a new process does before its program begins; rights are given up last."""
    if before is None and uid is None:
        return None

    def prepare() -> None:
        if before is not None:
            before()
        if uid is not None:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)

    return prepare


USUAL_UMASK = 0o022
"""What a container has; the supervisor's own is stricter."""


class Children:
    """Starts processes and reaps whatever ends below this process.

    Args:
        loop: The running event loop, which gets a handler of SIGCHLD.
        run_id: The run's identity; each process carries it in its environment, so that it is found
            whatever becomes of its parents.

    Attributes:
        mark: The entry of its environment by which a process of the run is found.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, run_id: str) -> None:
        self.mark = f"STACKPROOF_RUN={run_id}"
        self._loop = loop
        self._run_id = run_id
        self._known: dict[int, Child] = {}
        loop.add_signal_handler(signal.SIGCHLD, self.reap)

    def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        streams: tuple[int, int, int],
        uid: int | None = None,
        before: Callable[[], None] | None = None,
    ) -> Child:
        """Start a process in a session of its own.

        Args:
            argv: Program and arguments.
            env: Its whole environment, but for the run's mark.
            cwd: Folder to start in.
            streams: File descriptors of its input, output and error output.
            uid: User and group to run as; None for this process's own.
            before: Called in the new process before the program begins.

        Raises:
            OSError: If the program can't be started.
        """
        process = subprocess.Popen(
            list(argv),
            env={**env, "STACKPROOF_RUN": self._run_id},
            cwd=cwd,
            stdin=streams[0],
            stdout=streams[1],
            stderr=streams[2],
            start_new_session=True,
            umask=USUAL_UMASK,
            preexec_fn=_in_the_child(before, uid),  # noqa: PLW1509 - the supervisor has no threads
        )
        process.returncode = 0  # reaped below; Popen must not wait for it
        return self.adopt(process.pid)

    def call(
        self, work: Callable[[], None], *, streams: tuple[int, int, int], uid: int | None
    ) -> Child:
        """Call a function in a copy of this process, in a session of its own.

        Args:
            work: Called with nothing open but the three streams.
            streams: As for `spawn`.
            uid: As for `spawn`.

        Raises:
            OSError: If there can't be another process.
        """
        child = fork()
        if child == 0:
            try:
                kernel.hide_memory()
                keep_streams(streams)
                os.setsid()
                reset_signals()
                prepare = _in_the_child(None, uid)
                if prepare is not None:
                    prepare()
                work()
            finally:
                os._exit(0)
        return self.adopt(child)

    def adopt(self, pid: int) -> Child:
        """Take a process that was started below this one, and has not been waited for."""
        child = Child(pid, self._loop.create_future())
        self._known[pid] = child
        return child

    def reap(self) -> None:
        """Collect every child that has ended, orphans of services included."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._known.pop(pid, None)
            if child is not None and not child.ended.done():
                child.ended.set_result(os.waitstatus_to_exitcode(status))
