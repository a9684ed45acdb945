"""A run under supervision: its services, their events, and commands that run beside them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

from stackproof.engines.process.capture import LogFile
from stackproof.engines.process.children import Children
from stackproof.engines.process.commands import Commands, MemoryLog
from stackproof.engines.process.limits import ControlGroups
from stackproof.engines.process.own_processes import OwnProcesses
from stackproof.engines.process.place import Machine, Place, Start
from stackproof.engines.process.service import Service
from stackproof.engines.process.spec import ServiceSpec
from stackproof.engines.process.world.network_client import Network
from stackproof.engines.process.world.network_link import Event
from stackproof.engines.process.world.networks import Networks
from stackproof.engines.process.world.place import RoomPlace
from stackproof.engines.timestamps import timestamp
from stackproof.reaper import sweep
from stackproof_redaction import Redactor

KEPT_EVENTS = 5000
NETWORK = "network"
"""Name of the network process's log, and of events that are no service's."""

ABOUT_PORTS = {"stranger", "port lost"}
"""Events of the network process that the log of the service says too, as a guard in it would."""

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
        self.commands = Commands(loop, self.children)
        self.groups = ControlGroups(self.run_id, folder / "cgroups")
        self.networks = Networks(
            self._network, self.children, partial(self.note, NETWORK, "outbound")
        )
        self.redactor = Redactor()
        self._secrets: set[str] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self.services: dict[str, Service] = {}
        self.events: deque[dict[str, object]] = deque(maxlen=KEPT_EVENTS)
        self.over = asyncio.Event()
        self.at_end: Callable[[], None] = lambda: None
        self._changed = asyncio.Event()
        self._event_file = (folder / "events.jsonl").open("a", encoding="utf-8", buffering=1)
        self._sequence = 0

    def configure(self, secrets: Sequence[str]) -> None:
        """Take values that must never be written, beside those that are known already."""
        self._secrets |= set(secrets)
        self.redactor = Redactor(self._secrets)
        for service in self.services.values():
            service.log.redactor = self.redactor

    def place_of(self, spec: ServiceSpec, processes: OwnProcesses, log: LogFile) -> Place:
        """Where a service runs."""
        if spec.room is not None:
            return RoomPlace(spec, spec.room, self.networks, self.children)
        return Machine(spec, self.loop, self.children, processes, log)

    def _network(self) -> Network:
        log = LogFile(self.folder / "logs" / f"{NETWORK}.log", self.redactor)
        return Network(self.loop, log, self._note_network, self._give_up_rooms)

    def _give_up_rooms(self, reason: str) -> None:
        """End what was in the networks: its services would be taken for well, and hear nobody."""
        self.note(NETWORK, "ended", reason)
        verdict = f"{reason}, and with it the stack's network; start the stack again"
        for service in self.services.values():
            if service.spec.room is not None:
                self._ending.add(task := self.loop.create_task(service.give_up(verdict)))
                task.add_done_callback(self._ending.discard)

    def _note_network(self, event: Event) -> None:
        """Keep what the network process tells as an event of the service that it is about."""
        about = dict(event)
        service = str(about.pop("service", "") or NETWORK)
        kind = str(about.pop("kind", "network"))
        if kind in ABOUT_PORTS and service in self.services:
            self.services[service].log.write("err", [str(about["detail"])])
        self.note(service, kind, " ".join(f"{name}={value}" for name, value in about.items()))

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

    async def replace(self, specs: Sequence[ServiceSpec], removed: Collection[str]) -> None:
        """Start services anew as they are now described, and remove others.

        Args:
            specs: What is started anew.
            removed: Names of those that are removed.
        """
        anew = {spec.name for spec in specs}
        gone = [name for name in removed if name in self.services]
        ending = [self.services[name] for name in self.services if name in anew or name in gone]
        await asyncio.gather(*(service.stop() for service in ending))
        for service in ending:
            service.memory_folders.drop()
            await service.place.close()
        for name in gone:
            del self.services[name]
            self.note(name, "removed", "")
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
        self, name: str, argv: tuple[str, ...], seconds: float
    ) -> tuple[int, str]:
        """Run a health check's command as a service would; gives its exit status and output."""
        service = self.services.get(name)
        if service is None:
            return 127, f"{name} is not a part of this run: it is shared, or not started"
        log = MemoryLog(self.redactor)
        code = await self.commands.run(
            Start(argv, service.spec.env, service.spec.cwd, service.spec.uid),
            service.place,
            log=log,
            seconds=seconds,
        )
        return (124 if code is None else code), "\n".join(log.lines)[-PROBE_OUTPUT:]

    async def shut_down(self) -> None:
        """Stop all services, each after those that depend on it."""
        gone = {name: asyncio.Event() for name in self.services}

        async def stop(name: str, service: Service) -> None:
            for other, candidate in self.services.items():
                if name in candidate.spec.depends_on:
                    await gone[other].wait()
            await service.stop()
            gone[name].set()

        await asyncio.gather(*(stop(name, service) for name, service in self.services.items()))
        self.over.set()

    def kill_everything(self) -> None:
        """End every process of the run at once."""
        if os.getpid() == 1:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        sweep.kill_descendants(os.getpid(), seconds=10.0)
