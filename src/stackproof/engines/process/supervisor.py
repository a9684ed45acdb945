"""The supervisor: runs a stack's services, and ends with all of them.

Started by the reaper, as PID 1 of a PID namespace where that is allowed. It ends when it is told
to, or when the reaper dies; then it removes the run folder itself.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stackproof.engines.process.capture import LogFile, Pipe
from stackproof.engines.process.children import Children
from stackproof.engines.process.control_server import ControlServer
from stackproof.engines.process.limits import ControlGroups
from stackproof.engines.process.service import ATTEMPT_PAUSE, ATTEMPTS, Service
from stackproof.engines.process.spec import ServiceSpec
from stackproof.engines.timestamps import timestamp
from stackproof.reaper import sweep
from stackproof.reaper.namespace import become_subreaper
from stackproof.reaper.removal import remove_abandoned
from stackproof.redaction import Redactor
from stackproof.redaction.streams import MaskedStream

KEPT_EVENTS = 5000
PROBE_OUTPUT = 2000
"""Characters of a probe command's output that are kept."""


class Supervisor:
    """Everything that belongs to one run.

    Args:
        folder: The run folder.
        loop: The running event loop.
    """

    def __init__(self, folder: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.folder = folder
        self.loop = loop
        self.run_id = os.environ.get("STACKPROOF_RUN", "test")
        self.children = Children(loop, self.run_id)
        self.groups = ControlGroups(self.run_id, folder / "cgroups")
        self.redactor = Redactor()
        self._secrets: set[str] = set()
        self.services: dict[str, Service] = {}
        self.events: deque[dict[str, object]] = deque(maxlen=KEPT_EVENTS)
        self.over = asyncio.Event()
        self.at_end: Callable[[], None] = lambda: None
        self._changed = asyncio.Event()
        self._event_file = (folder / "events.jsonl").open("a", encoding="utf-8", buffering=1)
        self._sequence = 0

    def configure(self, secrets: Sequence[str]) -> None:
        """Take the values that must never be written, beside those that are known already."""
        self._secrets |= set(secrets)
        self.redactor = Redactor(self._secrets)
        for service in self.services.values():
            service.log.redactor = self.redactor

    def mask(self, text: str) -> str:
        """A text without secrets."""
        return self.redactor.text(text)

    def changed(self, service: Service, kind: str, detail: str) -> None:
        """Note an event of a service and wake everybody who waits for one."""
        self.note(service.spec.name, kind, detail)
        self._changed.set()
        self._changed = asyncio.Event()

    def note(self, service: str, kind: str, detail: str) -> None:
        """Keep an event in memory and in the run folder."""
        self._sequence += 1
        event: dict[str, object] = {
            "seq": self._sequence,
            "at": timestamp(),
            "monotonic": time.monotonic(),
            "service": service,
            "kind": kind,
            "detail": self.redactor.text(detail),
        }
        self.events.append(event)
        with contextlib.suppress(OSError):  # a full disk must not end the supervision
            self._event_file.write(json.dumps(event) + "\n")

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds; it is looked at whenever a service changes."""
        while not condition():
            await self._changed.wait()

    def start(self, specs: Sequence[ServiceSpec]) -> None:
        """Add services and begin each as soon as its own dependencies allow."""
        for spec in specs:
            log = LogFile(self.folder / "logs" / f"{spec.name}.log", self.redactor)
            self.services[spec.name] = Service(spec, self, log)
        for spec in specs:
            self.services[spec.name].start()

    async def replace(self, specs: Sequence[ServiceSpec]) -> None:
        """Stop services that run already, and start them anew as they are now described."""
        running = [self.services[spec.name] for spec in specs if spec.name in self.services]
        await asyncio.gather(*(service.stop() for service in running))
        self.start(specs)

    async def next_change(self) -> None:
        """Wait until anything changes."""
        await self._changed.wait()

    async def dependency_holds(self, service: Service) -> None:
        """Wait until every condition that a service depends on holds."""

        def all_hold() -> bool:
            missing = [
                self._missing(name, condition)
                for name, condition in service.spec.depends_on.items()
            ]
            service.state.waiting_for = ", ".join(filter(None, missing))
            return not service.state.waiting_for

        await self.until(all_hold)

    def _missing(self, name: str, condition: str) -> str:
        """What is still missing of a dependency, in words; empty if nothing is."""
        other = self.services.get(name)
        if other is None:
            return f"{name}, which is not part of the stack"
        state = other.state
        if condition == "service_completed_successfully":
            holds = state.state == "completed"
        elif condition == "service_healthy":
            holds = state.is_ready
        else:
            holds = state.state in {"running", "completed"}
        if holds:
            return ""
        return f"{name} ({state.health or state.state})"

    async def run_probe_command(
        self, service: Service, argv: tuple[str, ...], seconds: float
    ) -> tuple[int, str]:
        """Run a health check's command as the service would; gives its exit status and output."""
        log = _Memory(self.redactor)
        code = await self.run_command(
            argv, env=service.spec.env, cwd=service.spec.cwd, uid=service.spec.uid, log=log,
            seconds=seconds,
        )  # fmt: skip
        return (124 if code is None else code), "\n".join(log.lines)[-PROBE_OUTPUT:]

    async def run_command(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        uid: int | None,
        log: LogFile,
        seconds: float | None,
        given: str | None = None,
    ) -> int | None:
        """Run a command to its end, its output in a log, and what it is given on its input.

        Returns:
            Its exit status; None if it was ended because of the time-out.
        """
        out, err = Pipe(self.loop, log, "out"), Pipe(self.loop, log, "err")
        nothing = _input(given)
        try:
            child = self.children.spawn(
                argv, env=env, cwd=cwd, streams=(nothing, out.writing, err.writing), uid=uid
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            log.write("err", [f"{argv[0]}: {error}"])
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

    async def end_tree(self, pid: int) -> None:
        """SIGKILL a process and everything below it or in its group, and wait for their end."""
        main = sweep.ProcessId.of(pid)
        doomed = [*sweep.descendants(pid), *([main] if main else [])]
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        sweep.kill_all(doomed)
        for _ in range(ATTEMPTS):
            self.children.reap()
            if not any(one.is_alive() for one in doomed):
                break
            await asyncio.sleep(ATTEMPT_PAUSE)

    async def shut_down(self) -> None:
        """Stop all services, each after those that depend on it."""
        gone = {name: asyncio.Event() for name in self.services}

        async def stop(name: str, service: Service) -> None:
            for other, one in self.services.items():
                if name in one.spec.depends_on:
                    await gone[other].wait()
            await service.stop()
            gone[name].set()

        await asyncio.gather(*(stop(name, one) for name, one in self.services.items()))
        self.over.set()

    def kill_everything(self) -> None:
        """End every process of the run at once."""
        if os.getpid() == 1:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        sweep.kill_descendants(os.getpid(), seconds=10.0)


class _Memory(LogFile):
    """A log that is kept in memory only."""

    def __init__(self, redactor: Redactor) -> None:  # the file of the base class is not wanted
        self.lines: list[str] = []
        self.redactor = redactor

    def put(self, stream: str, masked: Sequence[str]) -> None:  # noqa: ARG002 - as the base
        self.lines += masked


def _input(given: str | None) -> int:
    """A file descriptor that a text, or nothing, is read from."""
    if given is None:
        return os.open(os.devnull, os.O_RDONLY)
    handle = os.memfd_create("stdin")
    os.write(handle, given.encode())
    os.lseek(handle, 0, os.SEEK_SET)
    return handle


def _watch_reaper(supervisor: Supervisor) -> None:
    """Clean up and end when the reaper dies: its end of the pipe is closed then."""
    text = os.environ.pop("STACKPROOF_REAPER_FD", "")
    if not text:
        return
    handle = int(text)
    os.set_inheritable(handle, False)  # noqa: FBT003 - the standard library's signature

    def reaper_died() -> None:
        supervisor.kill_everything()
        for service in supervisor.services.values():
            service.memory_folders.drop()
        remove_abandoned(str(supervisor.folder), supervisor.run_id)
        os._exit(1)

    supervisor.loop.add_reader(handle, reaper_died)

    def end_alone() -> None:
        """At its own end: the reaper may have died since the loop has last looked."""
        if select.select([handle], [], [], 0)[0]:
            reaper_died()

    supervisor.at_end = end_alone


async def supervise(folder: Path) -> None:
    """Run until told to end.

    Args:
        folder: The run folder.
    """
    loop = asyncio.get_running_loop()
    supervisor = Supervisor(folder, loop)
    sys.stdout = MaskedStream(sys.stdout, supervisor.mask)  # both lead to supervisor.log
    sys.stderr = MaskedStream(sys.stderr, supervisor.mask)
    _watch_reaper(supervisor)
    server = ControlServer(supervisor, folder / "control.sock")
    ending: list[asyncio.Task[None]] = []

    def end() -> None:
        if not ending:
            ending.append(loop.create_task(supervisor.shut_down()))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    serving = loop.create_task(server.serve())
    await supervisor.over.wait()
    await server.finish()
    serving.cancel()
    supervisor.kill_everything()
    sys.stdout.flush()
    sys.stderr.flush()
    supervisor.at_end()
    os._exit(0)  # at once: a reaper that dies from now on is not seen


def main() -> None:
    """Read the command line and supervise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-folder", type=Path, required=True)
    arguments = parser.parse_args()
    with contextlib.suppress(OSError):
        become_subreaper()
    asyncio.run(supervise(arguments.run_folder))


if __name__ == "__main__":
    main()
