"""A running stack on the process engine, reached through its supervisor and its log files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stackproof.engines import log_files
from stackproof.engines.base import CommandResult, LogLine, Say, ServiceStatus, Streams
from stackproof.engines.process.control import Control
from stackproof.engines.process.listeners import holder_of
from stackproof.errors import PortTaken
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
        control: Its supervisor.
    """

    def __init__(self, plan: Plan, run: RunFolder, control: Control) -> None:
        self.plan = plan
        self.run_folder = run
        self.control = control

    def status(self) -> tuple[ServiceStatus, ...]:
        """What is known of each service, with process numbers as this machine sees them."""
        outer = self._outer_pids()
        states = self.control.status()
        known = {one.name: one for one in states}
        ordered = [known[one.name] for one in self.plan.services if one.name in known]
        ordered += [one for one in states if one not in ordered]
        return tuple(replace(one, pid=outer.get(one.pid or 0, one.pid)) for one in ordered)

    def _outer_pids(self) -> dict[int, int]:
        """Numbers inside the PID namespace → outside, by NSpid of /proc/PID/status (proc(5))."""
        state = read_run(self.run_folder.path)
        found: dict[int, int] = {}
        if state is None or state.supervisor is None:
            return found
        for process in descendants(state.supervisor.pid):
            with contextlib.suppress(OSError), Path(f"/proc/{process.pid}/status").open() as file:
                for line in file:
                    if line.startswith("NSpid:"):
                        found[int(line.split()[-1])] = process.pid
        return found

    def wait_ready(self, timeout: float, say: Say, *, services: Sequence[str] = ()) -> None:
        """Wait until services are well; none named stands for all.

        Raises:
            StartFailed: With the verdict, as soon as there is one.
        """
        self._wait(timeout, say, services, since=0)

    def _wait(self, timeout: float, say: Say, services: Sequence[str], *, since: int) -> None:
        try:
            self.control.wait_ready(timeout, say, services=services, since=since)
        except PortTaken as error:  # from inside its namespace the supervisor can't see who it is
            raise PortTaken(error.service, port=error.port, holder=holder_of(error.port)) from None

    def logs(
        self, services: Sequence[str] = (), *, tail: int | None = None, since: str = ""
    ) -> Iterator[LogLine]:
        """Lines of services (none named: all logs), merged by time."""
        return log_files.read(self.run_folder.logs, services, tail=tail, since=since)

    def follow(self, services: Sequence[str] = ()) -> Iterator[LogLine]:
        """New lines as they are written, until the stack is gone."""
        return log_files.follow(self.run_folder.logs, services)

    def run(
        self, name: str, service: str, argv: Sequence[str], *, timeout: float, say: Say
    ) -> CommandResult:
        """Run a command in a service's surroundings, its output kept as the log `name`."""
        return self.control.run(name, argv, service=service, seconds=timeout, on_line=say)

    def execute(
        self,
        service: str,
        argv: Sequence[str],
        streams: Streams,
        *,
        environment: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> int:
        """Run a command in a service's surroundings, connected to the caller's streams."""
        return self.control.execute(
            service, argv, streams, environment=environment, timeout=timeout
        )

    def owns_data(self, service: str) -> bool:  # noqa: ARG002 - all data are made for the run
        """Whether the data of a service were made by this run: always."""
        return True

    def details(self) -> Mapping[str, Any]:
        """What the supervisor knows of each service."""
        return self.control.details()

    def start(self, services: Sequence[str]) -> None:
        """Start stopped services and wait until they are well."""
        since = self.control.last_event()
        self.control.start_services(services)
        self._wait(RESTART_SECONDS, lambda _: None, services, since=since)

    def stop(self, services: Sequence[str]) -> None:
        """Stop services."""
        self.control.stop(services)

    def restart(self, services: Sequence[str]) -> None:
        """Stop and start services and wait until they are well."""
        self.stop(services)
        self.start(services)

    def kill(self, services: Sequence[str], signal: str = "SIGKILL") -> None:
        """Send a signal to the main process of services; SIGKILL ends all of their processes.

        So it is with containers, whose other processes end with the first one.
        """
        self.control.signal(services, signal, everything=signal == "SIGKILL")

    def pause(self, services: Sequence[str]) -> None:
        """Freeze all processes of services."""
        self.control.signal(services, "SIGSTOP", everything=True)

    def unpause(self, services: Sequence[str]) -> None:
        """Let frozen services go on."""
        self.control.signal(services, "SIGCONT", everything=True)
