"""A running stack on the compose engine, reached through the Docker Engine."""

from __future__ import annotations

import heapq
import os
import re
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT
from typing import IO, Any

from docker import DockerClient

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
from stackproof.engines.compose.connection import address, docker_environment
from stackproof.engines.compose.containers import NO_CONTAINER, Containers, status_of
from stackproof.engines.compose.executing import Executing
from stackproof.engines.compose.faults.asking import Disturbing
from stackproof.engines.compose.freezing import freeze, thaw
from stackproof.engines.compose.history import history_of
from stackproof.engines.compose.labels import own_labels
from stackproof.engines.compose.notes import Notes
from stackproof.engines.compose.rechecking import note_ready
from stackproof.engines.compose.starting import Starting
from stackproof.engines.compose.stopping import kill, stop
from stackproof.engines.events import ServiceEvent
from stackproof.engines.network_faults import NetworkFault
from stackproof.engines.process.capture import readable
from stackproof.engines.timestamps import Moment, timestamp
from stackproof.errors import WaitTimeout, masked_errors
from stackproof.plan.model import Plan
from stackproof.plan.services.known_images import recognise
from stackproof.reaper.ownership import PRIVATE_FILE, make_folders
from stackproof.reaper.run_folder import RunFolder
from stackproof_redaction import Redactor

RESTART_SECONDS = 60.0
FOLLOW_SECONDS = 0.2

KEPT_LINES = 100_000
"""Last lines that are kept of a container when another one takes its place."""


class ComposeRunning:
    """Implements `engines.base.RunningPlan`.

    Args:
        plan: What was started.
        run: Its run folder.
        client: The Docker Engine.
        run_id: Identity of the run.
        environment: The caller's environment.
    """

    def __init__(
        self,
        plan: Plan,
        run: RunFolder,
        client: DockerClient,
        run_id: str,
        environment: Mapping[str, str],
    ) -> None:
        self.plan = plan
        self.run_folder = run
        self.containers = Containers(client, run_id, plan.project)
        self.api = client.api
        self.notes = Notes(run.path / "notes.json")
        self.redactor = Redactor(plan.secrets)
        self._executing = Executing(self.containers, docker_environment(environment))
        self._disturbing = Disturbing(run.path, address(environment))

    def status(self) -> tuple[ServiceStatus, ...]:
        """What is known of each service."""
        found = self.containers.inspect_all()
        note_ready(self.plan.services, self.containers, self.notes, found, self.redactor)
        one_shot = {service.name: service.one_shot for service in self.plan.services}
        names = [*one_shot, *sorted(found.keys() - one_shot)]
        states = (
            status_of(name, found[name], self.notes, one_shot=one_shot.get(name, False))
            if name in found
            else ServiceStatus(name, "removed", detail=NO_CONTAINER)
            for name in names
        )
        return tuple(replace(state, detail=self.redactor.text(state.detail)) for state in states)

    def details(self) -> Mapping[str, Any]:
        """All that Docker knows of each container: settings, health history, how it ended."""
        found: Any = self.redactor.value(self.containers.inspect_all())
        return dict(found)

    def owns_data(self, service: str) -> bool:
        """Whether the data of a service were made by this run, and are nobody else's."""
        known = recognise(self.plan.service(service).image)
        mounts = self.containers.inspect(service)["Mounts"]
        if known is not None:
            mounts = [mount for mount in mounts if known.keeps(mount["Destination"])]
        return all(self.is_own(mount) for mount in mounts)

    def is_own(self, mount: Mapping[str, Any]) -> bool:
        """Whether what is mounted was made by this run, or is none that it could harm."""
        if mount["Type"] == "bind":
            is_copy = Path(mount["Source"]).is_relative_to(self.run_folder.path)
            return is_copy or not mount["RW"]
        if mount["Type"] != "volume":
            return True
        labels = self.api.inspect_volume(mount["Name"]).get("Labels") or {}
        is_anonymous = re.fullmatch(r"[0-9a-f]{64}", mount["Name"]) is not None
        own = own_labels(self.plan.project, self.run_folder.root)
        return is_anonymous or own.items() <= labels.items()

    def wait_ready(self, timeout: float, say: Say, *, services: Sequence[str] = ()) -> None:
        """Start what does not run yet, in order, and wait until every service is well."""
        with masked_errors(self.redactor.text):
            Starting(self.containers, self.plan, self.notes, say).run(services, timeout)

    def logs(
        self, services: Sequence[str] = (), *, tail: int | None = None, since: str = ""
    ) -> Iterator[LogLine]:
        """Lines of services (none named: all logs), merged by time."""
        names = services or list(self.containers.ids())
        moment = _seconds(since) if since else None
        with ThreadPoolExecutor(max(len(names), 1)) as pool:
            sources = list(pool.map(lambda name: self._own(name, moment, tail), names))
        commands = log_files.read(self.run_folder.logs, services, since=since)
        merged = heapq.merge(*sources, commands, key=lambda line: line.at)
        wanted = (line for line in merged if line.at >= since)
        return iter(deque(wanted, maxlen=tail)) if tail is not None else wanted

    def keep_logs(self, services: Sequence[str]) -> None:
        """Keep what the containers of services have written, before others take their place."""
        make_folders(str(self.run_folder.logs))
        for name in services:
            with self._log_file(name) as log:
                for line in self.containers.lines(name, self.redactor, tail=KEPT_LINES):
                    log.write(f"{line.at} {line.stream} {line.text}\n")

    @contextmanager
    def _log_file(self, name: str) -> Iterator[IO[str]]:
        path = self.run_folder.logs / f"{name}.log"
        with path.open("a", encoding="utf-8", newline="\n") as log:
            os.fchmod(log.fileno(), PRIVATE_FILE)
            yield log

    def _own(self, name: str, since: float | None, tail: int | None) -> list[LogLine]:
        return list(self.containers.lines(name, self.redactor, since=since, tail=tail))

    def events(self, since: str) -> tuple[ServiceEvent, ...]:
        """What has happened to containers since a moment."""
        found = history_of(self.containers, since)
        return tuple(replace(event, detail=self.redactor.text(event.detail)) for event in found)

    def follow(self, services: Sequence[str] = ()) -> Iterator[LogLine]:
        """New lines as they are written, until the stack is gone."""
        seen, clock = timestamp(), Moment()
        while self.run_folder.path.is_dir():
            for line in list(self.logs(services, since=seen)):
                if line.at > seen:
                    yield line
                    seen = line.at
            time.sleep(FOLLOW_SECONDS)
            if clock.was_set_back():
                yield from self._follow_whatever_the_time(services)

    def _follow_whatever_the_time(self, services: Sequence[str]) -> Iterator[LogLine]:
        """New lines where the clock was set back, so that times don't tell which ones are new."""
        recent = timestamp(time.time() - 2 * FOLLOW_SECONDS)
        known = {line for line in self.logs(services) if not recent < line.at <= timestamp()}
        while self.run_folder.path.is_dir():
            for line in list(self.logs(services)):
                if line not in known:
                    known.add(line)
                    yield line
            time.sleep(FOLLOW_SECONDS)

    def run(self, name: str, service: str, command: Command, say: Say) -> CommandResult:
        """Run a command in a service's container, its output kept as the log `name`."""
        make_folders(str(self.run_folder.logs))
        lines: list[str] = []
        executing = self._executing.command(service, command, Streams(DEVNULL, PIPE, STDOUT))
        with self._log_file(name) as log:
            try:
                with executing as process:
                    assert process.stdout is not None  # noqa: S101 - for the type checker: a pipe
                    for raw in process.stdout:
                        line = self.redactor.text(
                            readable(raw.decode(errors="replace").rstrip("\n"))
                        )
                        lines.append(line)
                        log.write(f"{timestamp()} out {line}\n")
                        say(line)
            except WaitTimeout as error:
                what = self.redactor.text(f"{name} ({command})")
                raise WaitTimeout(what, waited=error.waited, trace=lines[-20:]) from None
        return CommandResult(process.returncode, "\n".join(lines))

    def execute(self, service: str, command: Command, streams: Streams) -> int:
        """Run a command in a service's container, connected to the caller's streams."""
        is_terminal = os.isatty(streams.stdin) and os.isatty(streams.stdout)
        options = ["--interactive", *(["--tty"] if is_terminal else [])]
        with self._executing.command(service, command, streams, options) as process:
            process.wait()
        return process.returncode

    def receipt(self) -> None:
        """None: an image need not have anything that could try."""

    def disturb(self, fault: NetworkFault) -> None:
        """Let something be wrong between containers on this machine, as root.

        Raises:
            Refused: If it can't be, with the reason.
        """
        self._disturbing.ask(fault)

    def control(self, action: Action, services: Sequence[str], *, signal: str = "SIGKILL") -> None:
        """Start, stop, restart, kill, pause or unpause services."""
        if action in {"stop", "restart"}:
            stop(self.containers, self.notes, services)
        if action in {"start", "restart"}:
            self.wait_ready(RESTART_SECONDS, lambda _: None, services=services)
            self._disturbing.renew(services)
        elif action == "kill":
            kill(self.containers, services, signal)
        for name in services if action in {"pause", "unpause"} else ():
            change = freeze if action == "pause" else thaw
            change(self.api, self.containers.id_of(name), name)


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
