"""One service under supervision: its states from waiting to stopped, restarts and readiness."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stackproof.engines.process.awaited_lines import AwaitedLines
from stackproof.engines.process.capture import LogFile, Pipe
from stackproof.engines.process.children import Child, Children
from stackproof.engines.process.guard.port import GuardedPort
from stackproof.engines.process.limits import ControlGroups, Group
from stackproof.engines.process.listeners import holder_of, ports_of
from stackproof.engines.process.memory_folders import MemoryFolders
from stackproof.engines.process.spec import ServiceSpec
from stackproof.readiness.asking import Surroundings, ask
from stackproof.readiness.probes import AllProbes, CommandProbe
from stackproof.reaper import sweep
from stackproof.reaper.port_claims import is_free

FIRST_PAUSE = 0.02
PAUSE_GROWTH = 1.3
LONGEST_WITHOUT_PROCESS = 0.1
"""Seconds between two checks of a starting service that need no process of their own."""

ATTEMPTS = 400
ATTEMPT_PAUSE = 0.005
"""How long killed processes are waited for: 2 s; only one in the kernel's hands takes longer."""

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
        self, service: Service, argv: tuple[str, ...], seconds: float
    ) -> tuple[int, str]:
        """Run a command in the service's surroundings; gives its exit status and output."""


@dataclass
class State:
    """What is known of a service; sent to clients as it is.

    Attributes:
        state: One of waiting, starting, running, restarting, exited, failed, stopped, completed,
            paused.
        health: starting, healthy, unhealthy, or empty where nothing is checked.
        pid: Its process.
        exit_code: Status of its last end.
        restarts: How often its restart policy has started it again.
        waiting_for: What it waits for.
        last_answer: Its probe's last answer; empty after a good one.
        verdict: Why it has failed, in words.
        holder: Who has its port, where that is why it failed.
        port: That port.
        ready_after: Seconds from its start to ready.
        exits_in_a_row: Ends without having been ready in between.
        asked_for: Seconds that its probe has been asked for.
    """

    state: str = "waiting"
    health: str = ""
    pid: int | None = None
    exit_code: int | None = None
    restarts: int = 0
    waiting_for: str = ""
    last_answer: str = ""
    verdict: str = ""
    holder: str = ""
    port: int = 0
    ready_after: float | None = None
    exits_in_a_row: int = 0
    asked_for: float = 0.0

    @property
    def is_ready(self) -> bool:
        """Whether nothing is left to wait for."""
        return self.state == "completed" or (
            self.state == "running" and self.health in {"", "healthy"}
        )


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
        self.child: Child | None = None
        self.group: Group = host.groups.make(spec)
        self.memory_folders = MemoryFolders(spec.tmpfs, private=os.getpid() == 1)
        self.memory_folders.renew()  # what can't be bounded is known before it starts
        self._guard = GuardedPort(spec, host.loop, host.children, log)
        self._life: asyncio.Task[None] | None = None
        self._started = 0.0
        self._lines = AwaitedLines(log)

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
            if not self._spawn():
                return
            code = await self._until_it_ends()
            await self.end_at_once()  # what it has left behind would keep its ports
            if not self._starts_again(code):
                self._end(code)
                return
            if self.now() - began > LONG_ENOUGH:
                back_off = FIRST_BACK_OFF
            self._set("restarting", f"{self._how_it_ended(code)}; again in {back_off:.1f} s")
            await asyncio.sleep(back_off)
            back_off = min(back_off * 2, LONGEST_BACK_OFF)
            self.state.restarts += 1

    def _spawn(self) -> bool:
        for port in self.spec.ports:
            if not is_free(port):
                self.state.port, self.state.holder = port, holder_of(port)
                self._fail(f"can't have port {port}: {self.state.holder}")
                return False
        self._lines.forget()
        self.memory_folders.renew()
        out = Pipe(self.host.loop, self.log, "out")
        err = Pipe(self.host.loop, self.log, "err")
        nothing = os.open(os.devnull, os.O_RDONLY)
        self._set("starting")
        try:
            self._guard.start()
            self.child = self.host.children.spawn(
                self.spec.argv,
                env=self.spec.env,
                cwd=self.spec.cwd,
                streams=(nothing, out.writing, err.writing),
                uid=self.spec.uid,
                before=self.group.joiner(),
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            self._fail(f"could not be started: {self.spec.argv[0]}: {error}")
            return False
        finally:
            os.close(nothing)
            out.started()
            err.started()
        self._guard.watch(self.child)
        self._started = self.now()
        self.state.pid = self.child.pid
        self.state.exit_code = None
        self.state.ready_after = None
        self.state.health = "starting" if self.spec.probe is not None else ""
        if self.spec.probe is None:
            self.state.ready_after = 0.0
        self._set("running")
        return True

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
        await asyncio.sleep(0)
        if self.state.health != "healthy" and self.spec.probe is not None:
            self.state.exits_in_a_row += 1
        self.state.pid = None
        self.state.exit_code = code
        self.state.health = ""
        out_of_memory = self.group.oom_kills() > kills
        self.state.verdict = self._how_it_ended(code, out_of_memory=out_of_memory)
        return code

    def _how_it_ended(self, code: int, *, out_of_memory: bool = False) -> str:
        if out_of_memory:
            limit = (self.spec.memory or 0) / (1 << 20)
            return f"was killed: out of memory (its limit is {limit:.0f} MiB)"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"was ended by {signal.Signals(-code).name}"
        return f"exited with status {code}"

    def _starts_again(self, code: int) -> bool:
        policy = self.spec.restart
        if policy in {"always", "unless-stopped"}:
            return True
        bound = self.spec.max_retries
        in_bound = bound is None or self.state.restarts < bound
        return policy == "on-failure" and code != 0 and in_bound

    def _end(self, code: int) -> None:
        if code == 0 and (self.spec.one_shot or self.spec.restart in {"no", "on-failure"}):
            self.state.ready_after = self.now() - self._started
            self._set("completed")
        else:
            self._set("exited", self.state.verdict)

    async def _watch_health(self) -> None:
        probe, timing = self.spec.probe, self.spec.timing
        if probe is None:
            return
        around = Surroundings(
            lambda argv: self.host.run_probe_command(self, argv, timing.timeout),
            self._lines.has,
            lambda: self.now() - self._started,
        )
        longest = max(timing.start_interval, FIRST_PAUSE)
        if not isinstance(probe, CommandProbe | AllProbes):
            longest = min(longest, LONGEST_WITHOUT_PROCESS)
        pause, failures = FIRST_PAUSE, 0
        while True:
            try:
                answer = await asyncio.wait_for(ask(probe, around), timing.timeout)
            except TimeoutError:
                answer = f"no answer within {timing.timeout:g} s"
            if self.state.health != "healthy":
                answer = answer or self._identity()
            self.state.asked_for = self.now() - self._started
            failures = self._note_answer(answer, failures)
            if self.state.health == "starting":
                await self._lines.pause(pause)
                pause = min(pause * PAUSE_GROWTH, longest)
            else:
                await asyncio.sleep(timing.interval)

    def _note_answer(self, answer: str, failures: int) -> int:
        self.state.last_answer = answer
        if not answer:
            if self.state.health != "healthy":
                self.state.health = "healthy"
                self.state.exits_in_a_row = 0
                self.state.ready_after = self.state.ready_after or self.now() - self._started
                self.host.changed(self, "healthy", "")
            return 0
        timing = self.spec.timing
        if self.state.health == "starting":
            allowed = timing.start_period + timing.interval * timing.retries
            if self.state.asked_for > allowed:
                self.state.health = "unhealthy"
                self.host.changed(self, "unhealthy", answer)
        elif self.state.health == "healthy" and failures + 1 >= timing.retries:
            self.state.health = "unhealthy"
            self.host.changed(self, "unhealthy", answer)
        return failures + 1

    def _identity(self) -> str:
        """Why a good answer can't have come from this service; empty if it can."""
        missing = set(self.spec.ports) - ports_of(self.own_pids())
        if not missing:
            return ""
        port = min(missing)
        elsewhere = sorted(ports_of(self.own_pids()))
        if elsewhere:
            listed = ", ".join(map(str, elsewhere))
            return f"it listens on {listed} instead of {port}; a stranger answers on {port}"
        return f"a stranger answers on {port}: {holder_of(port)}"

    def own_pids(self) -> list[int]:
        """Every process of this service: its tree, its session, and what carries its mark."""
        return [process.pid for process in self._own_processes()]

    def _own_processes(self) -> list[sweep.ProcessId]:
        found = dict.fromkeys(sweep.marked(self.mark))
        if self.child is not None:
            main = sweep.ProcessId.of(self.child.pid)
            tree = sweep.descendants(self.child.pid)
            found |= dict.fromkeys([*([main] if main else []), *tree])
        for folder in self.group.folders:
            found |= dict.fromkeys(_members(folder))
        return list(found)

    @property
    def mark(self) -> str:
        """The environment entry that all its processes carry."""
        return f"STACKPROOF_SERVICE={self.spec.env.get('STACKPROOF_SERVICE', self.spec.name)}"

    async def stop(self, number: int | None = None) -> None:
        """Stop it as its stack file says, and end whatever is left of it."""
        if self._life is not None:
            self._life.cancel()
        if self.child is not None and not self.child.ended.done():
            self.child.send(number or signal.Signals[self.spec.stop_signal].value)
            self.child.send_group(signal.SIGCONT)
            await asyncio.wait([self.child.ended], timeout=self.spec.stop_grace)
        await self.end_at_once()
        if self.state.state not in {"exited", "failed", "completed"}:
            self.state.pid, self.state.health = None, ""
            self._set("stopped")

    async def end_at_once(self) -> None:
        """SIGKILL every process of it, again and again until there is none."""
        for _ in range(ATTEMPTS):
            left = self._own_processes()
            if not left:
                break
            sweep.kill_all(left)
            self.host.children.reap()
            await asyncio.sleep(ATTEMPT_PAUSE)
        if self.child is not None and self.child.ended.done():
            self.state.exit_code = self.child.ended.result()

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

    async def signal_all(self, number: int) -> None:
        """Send every process of it a signal; after SIGKILL, wait until they are gone."""
        processes = self._own_processes()
        if number != signal.SIGKILL:
            for process in processes:
                process.kill(number)
            return
        sweep.kill_all(processes)
        for _ in range(ATTEMPTS):
            if not any(process.is_alive() for process in processes):
                break
            await asyncio.sleep(ATTEMPT_PAUSE)


def _members(folder: Path) -> list[sweep.ProcessId]:
    with contextlib.suppress(OSError, ValueError):
        listed = (folder / "cgroup.procs").read_text(encoding="ascii").split()
        found = [sweep.ProcessId.of(int(pid)) for pid in listed]
        return [process for process in found if process is not None]
    return []
