"""One service under supervision: its states from waiting to stopped, restarts and readiness."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Protocol

from stackproof.engines.process.awaited_lines import AwaitedLines
from stackproof.engines.process.capture import LogFile, Pipe
from stackproof.engines.process.children import Child, Children
from stackproof.engines.process.fork_server.asking import ColdError
from stackproof.engines.process.limits import ControlGroups, Group
from stackproof.engines.process.memory_folders import MemoryFolders
from stackproof.engines.process.own_processes import OwnProcesses
from stackproof.engines.process.place import Place, Start, Streams
from stackproof.engines.process.service_state import State, how_it_ended
from stackproof.engines.process.spec import ServiceSpec
from stackproof.engines.process.warm_start import WarmStart
from stackproof.readiness.asking import Surroundings
from stackproof.readiness.watching import HealthWatch

FIRST_BACK_OFF = 0.1
LONGEST_BACK_OFF = 60.0
LONG_ENOUGH = 10.0
"""Docker's restart back-off: 0.1 s, doubled each time up to 60 s, forgotten after 10 s alive."""


class Host(Protocol):
    """What a service needs of its supervisor."""

    loop: asyncio.AbstractEventLoop
    children: Children
    groups: ControlGroups

    def changed(self, service: Service, kind: str, detail: str) -> None:
        """Tell everybody who waits that a service has changed."""

    async def dependency_holds(self, service: Service) -> None:
        """Wait until every condition that the service depends on holds."""

    async def run_probe_command(
        self, name: str, argv: tuple[str, ...], seconds: float
    ) -> tuple[int, str]:
        """Run a command in the surroundings of a service; gives its exit status and output."""

    def place_of(self, spec: ServiceSpec, processes: OwnProcesses, log: LogFile) -> Place:
        """Where a service runs."""


class Service:
    """Runs one service until it is stopped.

    Args:
        spec: What to run.
        host: The supervisor.
        log: Where its output goes.
        now: Monotonic seconds.
    """

    def __init__(
        self,
        spec: ServiceSpec,
        host: Host,
        log: LogFile,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.spec = spec
        self.host = host
        self.log = log
        self.now = now
        self.state = State()
        self.group: Group = host.groups.make(spec)
        self.processes = OwnProcesses(spec, self.group, host.children)
        self.memory_folders = MemoryFolders(spec.tmpfs, private=os.getpid() == 1)
        self.memory_folders.renew()  # what can't be bounded is known before it starts
        self.place = host.place_of(spec, self.processes, log)
        self._life: asyncio.Task[None] | None = None
        self._started = 0.0
        self.warm = WarmStart(spec)
        self._lines = AwaitedLines(log)

    @property
    def child(self) -> Child | None:
        """The process that was started last."""
        return self.processes.main

    def start(self) -> None:
        """Begin its life; nothing happens if it has begun already."""
        if self._life is None or self._life.done():
            self.state = State(restarts=self.state.restarts)
            self._life = self.host.loop.create_task(self._live())
            self._life.add_done_callback(self._note_defect)

    def _set(self, state: str, detail: str = "") -> None:
        self.state.state = state
        self.host.changed(self, state, detail)

    def _note_defect(self, life: asyncio.Task[None]) -> None:
        """A defect of the supervisor itself must be seen, not end in silence."""
        error = None if life.cancelled() else life.exception()
        if error is not None:
            self._fail(f"could not be supervised: {error!r}")

    async def _live(self) -> None:
        self._set("waiting", ", ".join(self.spec.depends_on))
        await self.host.dependency_holds(self)
        self.state.waiting_for = ""
        back_off = FIRST_BACK_OFF
        while True:
            began = self.now()
            if not await self._spawn():
                return
            code = await self._until_it_ends()
            await self.processes.end()  # what it has left behind would keep its ports
            lived = self.now() - began
            if self.warm.has_failed(code, was_ready=self._was_ready(lived)):
                self.warm.failed(f"a fork {self.state.verdict} before it was ready")
                self._tell_cold()
                continue
            if self._was_ready(lived):
                self.warm.is_ready()
            if not self._starts_again(code):
                self._end(code)
                return
            if lived > LONG_ENOUGH:
                back_off = FIRST_BACK_OFF
            self._set("restarting", f"{self.state.verdict}; again in {back_off:.1f} s")
            await asyncio.sleep(back_off)
            back_off = min(back_off * 2, LONGEST_BACK_OFF)
            self.state.restarts += 1

    async def _spawn(self) -> bool:
        if not await self._has_place():
            return False
        self._lines.forget()
        self.place.ports.forget()
        self.memory_folders.renew()
        out = Pipe(self.host.loop, self.log, "out")
        err = Pipe(self.host.loop, self.log, "err")
        nothing = os.open(os.devnull, os.O_RDONLY)
        self._set("starting")
        try:
            child = self.processes.main = self._begin((nothing, out.writing, err.writing))
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            self._fail(f"could not be started: {self.spec.argv[0]}: {error}")
            return False
        finally:
            os.close(nothing)
            out.started()
            err.started()
        self._started = self.now()
        self.state.begin(child.pid, is_checked=self.spec.probe is not None)
        self._set("running")
        return True

    def _begin(self, streams: Streams) -> Child:
        start = Start(self.spec.argv, self.spec.env, self.spec.cwd, self.spec.uid)
        if forked := self.warm.begins():
            try:
                return self.place.fork(start, forked, streams, self.group.files())
            except ColdError as error:
                self.warm.refused(str(error))
                self._tell_cold()
        return self.place.start(start, streams, self.group.joiner())

    def _was_ready(self, lived: float) -> bool:
        """Whether its last process was ready; without a probe, one that has lived for a while."""
        return self.state.ready_after is not None if self.spec.probe else lived >= LONG_ENOUGH

    def _tell_cold(self) -> None:
        self.host.changed(self, "cold", f"without what is imported ahead: {self.warm.told[6:]}")

    async def _has_place(self) -> bool:
        try:
            await self.place.open()
        except OSError as error:
            self._fail(f"its surroundings could not be made: {error}")
            return False
        self.state.port, self.state.holder = self.place.taken()
        if self.state.port:
            self._fail(f"can't have port {self.state.port}: {self.state.holder}")
        return not self.state.port

    def _fail(self, verdict: str) -> None:
        self.state.verdict = verdict
        self.state.pid = None
        self._set("failed", verdict)

    async def _until_it_ends(self) -> int:
        assert self.child is not None  # noqa: S101 - for the type checker: _spawn has set it
        health = self.host.loop.create_task(self._watch_health())
        kills = self.group.oom_kills()
        try:
            code = await asyncio.shield(self.child.ended)
        finally:
            health.cancel()
        is_out_of_memory = self.group.oom_kills() > kills
        memory = (self.spec.memory or 0) if is_out_of_memory else None
        self.state.end(code, how_it_ended(code, memory=memory))
        return code

    def _starts_again(self, code: int) -> bool:
        policy = self.spec.restart
        if policy in {"always", "unless-stopped"}:
            return True
        bound = self.spec.max_retries
        in_bound = bound is None or self.state.restarts < bound
        return policy == "on-failure" and code != 0 and in_bound

    def _end(self, code: int) -> None:
        if code == 0 and self.spec.one_shot:
            self.state.ready_after = self.now() - self._started
            self._set("completed")
        else:
            self._set("exited", self.state.verdict)

    async def _watch_health(self) -> None:
        probe, timing = self.spec.probe, self.spec.timing
        if probe is None:
            return
        around = Surroundings(
            lambda argv, name: self.host.run_probe_command(
                name or self.spec.name, argv, timing.timeout
            ),
            self._lines.has,
            lambda: self.now() - self._started,
            self.place.ports.listening,
        )
        watch = HealthWatch(probe, timing, around, self._lines.pause, self.place.ports.doubt)
        async for health in watch.checks():
            self.state.last_answer, self.state.asked_for = watch.answer, watch.asked_for
            if health == "starting" and self._is_mistaken():
                return
            if health == "unhealthy" and self._is_hung_fork():
                return
            if health != self.state.health:
                self.state.health = health
                if health == "healthy":
                    self.state.exits_in_a_row = 0
                    self.state.ready_after = self.state.ready_after or watch.asked_for
                    self.warm.is_ready()
                self.host.changed(self, health, watch.answer)

    def _is_hung_fork(self) -> bool:
        """Whether a fork is not ready in time; a new process gets that time then."""
        if self.state.ready_after is not None or self.child is None or not self.warm.gives_up():
            return False
        self.child.send(signal.SIGKILL)
        return True

    def _is_mistaken(self) -> bool:
        """Whether it listens where its container would, so that it will never be ready here."""
        inside, _ = self.place.ports.mistaken()
        if inside:
            self.state.own_port, self.state.health = inside, "unhealthy"
            self.state.last_answer = self.place.ports.doubt()
            self.host.changed(self, "unhealthy", self.state.last_answer)
        return bool(inside)

    async def stop(self, number: int | None = None) -> None:
        """Stop it as its stack file says, and end whatever is left of it."""
        if self._life is not None:
            self._life.cancel()
        if self.child is not None and not self.child.ended.done():
            asked = number or signal.Signals[self.spec.stop_signal].value
            heard = self.place.hears(asked)  # else nothing would come of waiting
            self.child.send(asked)
            self.child.send_group(signal.SIGCONT)
            await asyncio.wait([self.child.ended], timeout=self.spec.stop_grace if heard else 0.0)
        await self.processes.end()
        if self.child is not None and self.child.ended.done():
            self.state.exit_code = self.child.ended.result()
        if self.state.state not in {"exited", "failed", "completed"}:
            self.state.pid, self.state.health = None, ""
            self._set("stopped")

    async def give_up(self, verdict: str) -> None:
        """End it for good, since it has lost what it can't do without."""
        await self.stop(signal.SIGKILL)
        await self.place.close()
        self.log.write("err", [f"stackproof: {verdict}"])
        self._fail(verdict)

    def signal(self, number: int) -> None:
        """Send its main process a signal."""
        if self.child is not None:
            self.child.send(number)

    def note_pause(self, number: int) -> None:
        """Show in its state that it was frozen, or goes on."""
        if number == signal.SIGSTOP and self.state.state == "running":
            self._set("paused")
        elif number == signal.SIGCONT and self.state.state == "paused":
            self._set("running")
