"""A running stack on the process engine, reached through its supervisor and its log files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stackproof.engines import log_files
from stackproof.engines.base import (
    Action,
    Command,
    CommandResult,
    LogLine,
    Say,
    ServiceStatus,
    Streams,
)
from stackproof.engines.events import ServiceEvent
from stackproof.engines.network_faults import NetworkFault
from stackproof.engines.process.control import Control
from stackproof.engines.process.listeners import holder_of
from stackproof.engines.receipt import Receipt
from stackproof.errors import PortTaken, Refused
from stackproof.plan.model import Plan
from stackproof.reaper.leftovers import read_run
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.sweep import descendants

RESTART_SECONDS = 60.0


class ProcessRunning:
    """Implements `engines.base.RunningPlan`.

    Args:
        plan: What was started.
        run: Its run folder.
        supervisor: What runs its services.
    """

    def __init__(self, plan: Plan, run: RunFolder, supervisor: Control, *, since: int = 0) -> None:
        self.plan = plan
        self.since = since
        self.run_folder = run
        self.supervisor = supervisor

    def status(self) -> tuple[ServiceStatus, ...]:
        """What is known of each service, with process numbers as this machine sees them."""
        outer = self._outer_pids()
        states = self.supervisor.status()
        known = {state.name: state for state in states}
        ordered = [known[service.name] for service in self.plan.services if service.name in known]
        ordered += [state for state in states if state not in ordered]
        return tuple(replace(state, pid=outer.get(state.pid or 0, state.pid)) for state in ordered)

    def _outer_pids(self) -> dict[int, int]:
        """Numbers inside the PID namespace → outside, by NSpid of /proc/PID/status (proc(5))."""
        state = read_run(self.run_folder.path)
        found: dict[int, int] = {}
        if state is None or state.supervisor is None:
            return found
        level = len(_numbers(state.supervisor.pid)) - 1
        for process in descendants(state.supervisor.pid):
            numbers = _numbers(process.pid)
            if len(numbers) > level:  # a room has a namespace of its own, which counts anew
                found[numbers[level]] = process.pid
        return found

    def wait_ready(self, timeout: float, say: Say, *, services: Sequence[str] = ()) -> None:
        """Wait until services are well; none named stands for all.

        Raises:
            StartFailed: With the verdict, as soon as there is one.
        """
        self._wait(timeout, say, services, since=self.since)

    def _wait(self, timeout: float, say: Say, services: Sequence[str], *, since: int) -> None:
        try:
            self.supervisor.wait_ready(timeout, say, services=services, since=since)
        except PortTaken as error:  # from inside its namespace the supervisor can't see who it is
            raise PortTaken(error.service, port=error.port, holder=holder_of(error.port)) from None

    def logs(
        self, services: Sequence[str] = (), *, tail: int | None = None, since: str = ""
    ) -> Iterator[LogLine]:
        """Lines of services (none named: all logs), merged by time."""
        return log_files.read(self.run_folder.logs, services, tail=tail, since=since)

    def events(self, since: str) -> tuple[ServiceEvent, ...]:
        """What has happened to services since a moment."""
        return self.supervisor.events(since)

    def follow(self, services: Sequence[str] = ()) -> Iterator[LogLine]:
        """New lines as they are written, until the stack is gone."""
        return log_files.follow(self.run_folder.logs, services)

    def run(self, name: str, service: str, command: Command, say: Say) -> CommandResult:
        """Run a command in a service's surroundings, its output kept as the log `name`."""
        return self.supervisor.run(name, command, service=service, on_line=say)

    def execute(self, service: str, command: Command, streams: Streams) -> int:
        """Run a command in a service's surroundings, connected to the caller's streams."""
        return self.supervisor.execute(service, command, streams)

    def owns_data(self, service: str) -> bool:  # noqa: ARG002 - all data are made for the run
        """Whether the data of a service were made by this run: always."""
        return True

    def details(self) -> Mapping[str, Any]:
        """What the supervisor knows of each service."""
        return self.supervisor.details()

    def receipt(self) -> Receipt:
        """What its services could do to their surroundings, tried from inside."""
        return self.supervisor.receipt(self.plan.world, owner_home())

    def disturb(self, fault: NetworkFault) -> None:
        """Let something be wrong between services of a private world.

        Raises:
            Refused: If the stack runs in the host world.
        """
        if self.plan.world != "private":
            raise Refused(
                "what services say to each other can't be disturbed here",
                observed=f"{self.plan.project} runs in the host world: its services share this "
                "machine's network",
                remedy="write `world: private` in the stack config",
            )
        self.supervisor.disturb(fault)

    def control(self, action: Action, services: Sequence[str], *, signal: str = "SIGKILL") -> None:
        """Start, stop, restart, kill, pause or unpause services.

        SIGKILL ends all processes of a service, as those of a container end with the first one.
        """
        since = self.supervisor.last_event()
        self.supervisor.control(action, services, signal=signal)
        if action in {"start", "restart"}:
            self._wait(RESTART_SECONDS, lambda _: None, services, since=since)


def owner_home() -> str:
    """The home of who calls; empty where there is none."""
    found = os.path.expanduser("~")  # noqa: PTH111 - `Path.home` fails without one
    return found if found.startswith("/") else ""


def _numbers(pid: int) -> list[int]:
    """The numbers of a process, from this namespace inwards; none where it has ended."""
    with contextlib.suppress(OSError), Path(f"/proc/{pid}/status").open() as file:
        for line in file:
            if line.startswith("NSpid:"):
                return [int(number) for number in line.split()[1:]]
    return []
