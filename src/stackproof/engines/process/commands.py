"""Commands that run beside services, each to its end: those of clients, probes and preparations."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence

from stackproof.engines.process.capture import LogFile, Pipe
from stackproof.engines.process.children import Child, Children
from stackproof.engines.process.own_processes import ATTEMPT_PAUSE, ATTEMPTS
from stackproof.engines.process.place import Place, Start, Streams
from stackproof.engines.process.world.caller import become_caller
from stackproof.reaper import sweep
from stackproof_redaction import Redactor


class Commands:
    """Runs them.

    Args:
        loop: The running event loop.
        children: Starts processes.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, children: Children) -> None:
        self.loop = loop
        self.children = children

    async def run(
        self,
        start: Start,
        place: Place | None,
        *,
        log: LogFile,
        seconds: float | None,
        given: str | None = None,
    ) -> int | None:
        """Run a command to its end, its output in a log, and what it is given on its input.

        Args:
            start: The command.
            place: The place of the service that it belongs to; None for the supervisor's own.
            log: Where its output goes.
            seconds: After which it is ended; None for no bound.
            given: What it reads.

        Returns:
            Its exit status; None if it was ended because of the time-out.
        """
        out, err = Pipe(self.loop, log, "out"), Pipe(self.loop, log, "err")
        nothing = _input(given)
        try:
            child = await self._begin(start, place, (nothing, out.writing, err.writing))
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            log.write("err", [f"{start.argv[0]}: {error}"])
            return 127
        finally:
            os.close(nothing)
            out.started()
            err.started()
        try:
            await asyncio.wait([child.ended], timeout=seconds)
        finally:
            ended = child.ended.done()
            await self.end_tree(child.pid)
            out.drain()
            err.drain()
        return child.ended.result() if ended else None

    async def _begin(self, start: Start, place: Place | None, streams: Streams) -> Child:
        if place is None:
            return self.children.spawn(
                start.argv,
                env=start.env,
                cwd=start.cwd,
                streams=streams,
                uid=start.uid,
                before=become_caller(),
            )
        await place.open()
        return place.run(start, streams, None)

    async def end_tree(self, pid: int) -> None:
        """SIGKILL a process and everything below it or in its group, and wait for their end."""
        main = sweep.ProcessId.of(pid)
        doomed = [*sweep.descendants(pid), *([main] if main else [])]
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        sweep.kill_all(doomed)
        for _ in range(ATTEMPTS):
            self.children.reap()
            if not any(process.is_alive() for process in doomed):
                break
            await asyncio.sleep(ATTEMPT_PAUSE)


class MemoryLog(LogFile):
    """A log that is kept in memory only."""

    def __init__(self, redactor: Redactor) -> None:  # the file of the base class is not wanted
        self.lines: list[str] = []
        self.redactor = redactor

    def put(self, stream: str, masked: Sequence[str], *, goes_on: bool = False) -> None:  # noqa: ARG002 - as the base
        """Keep lines."""
        self.lines += masked


def _input(given: str | None) -> int:
    """A file descriptor that a text, or nothing, is read from."""
    if given is None:
        return os.open(os.devnull, os.O_RDONLY)
    handle = os.memfd_create("stdin")
    os.write(handle, given.encode())
    os.lseek(handle, 0, os.SEEK_SET)
    return handle
