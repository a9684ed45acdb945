"""A running stack on the compose engine, reached through the Docker Engine."""

from __future__ import annotations

import heapq
import os
import re
import signal as signals
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from subprocess import DEVNULL, PIPE, STDOUT
from typing import Any

from docker import DockerClient

from stackproof.engines import log_files
from stackproof.engines.base import CommandResult, LogLine, Say, ServiceStatus, Streams
from stackproof.engines.compose.connection import docker_environment
from stackproof.engines.compose.containers import NO_CONTAINER, Containers, status_of
from stackproof.engines.compose.executing import Executing
from stackproof.engines.compose.freezing import freeze, thaw
from stackproof.engines.compose.labels import own_labels
from stackproof.engines.compose.notes import Notes
from stackproof.engines.compose.starting import Starting
from stackproof.engines.timestamps import Moment, timestamp
from stackproof.errors import WaitTimeout, masked_errors
from stackproof.plan.model import Plan
from stackproof.plan.services.known_images import recognise
from stackproof.reaper.ownership import PRIVATE_FILE, make_folders
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.sweep import ProcessId
from stackproof.redaction import Redactor
from stackproof.waiting import wait_until

RESTART_SECONDS = 60.0
FOLLOW_SECONDS = 0.2
KILL_SECONDS = 30.0


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

    def status(self) -> tuple[ServiceStatus, ...]:
        """What is known of each service."""
        found = self.containers.inspect_all()
        one_shot = {one.name: one.one_shot for one in self.plan.services}
        names = [*one_shot, *sorted(found.keys() - one_shot)]
        states = (
            status_of(name, found[name], self.notes, one_shot=one_shot.get(name, False))
            if name in found
            else ServiceStatus(name, "removed", detail=NO_CONTAINER)
            for name in names
        )
        return tuple(replace(one, detail=self.redactor.text(one.detail)) for one in states)

    def details(self) -> Mapping[str, Any]:
        """All that Docker knows of each container: settings, health history, how it ended."""
        found: Any = self.redactor.value(self.containers.inspect_all())
        return dict(found)

    def owns_data(self, service: str) -> bool:
        """Whether the data of a service were made by this run, and are nobody else's."""
        known = recognise(self.plan.service(service).image)
        mounts = self.containers.inspect(service)["Mounts"]
        if known is not None:
            mounts = [one for one in mounts if PurePosixPath(one["Destination"]).is_relative_to(
                      known.volume)]  # fmt: skip
        return all(self.is_own(one) for one in mounts)

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

    def _own(self, name: str, since: float | None, tail: int | None) -> list[LogLine]:
        return list(self.containers.lines(name, self.redactor, since=since, tail=tail))

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

    def run(
        self, name: str, service: str, argv: Sequence[str], *, timeout: float, say: Say
    ) -> CommandResult:
        """Run a command in a service's container, its output kept as the log `name`."""
        make_folders(str(self.run_folder.logs))
        lines: list[str] = []
        executing = self._executing.command(
            service, argv, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, timeout=timeout
        )
        with (self.run_folder.logs / f"{name}.log").open("a", encoding="utf-8") as log:
            os.fchmod(log.fileno(), PRIVATE_FILE)
            try:
                with executing as process:
                    assert process.stdout is not None  # noqa: S101 - for the type checker: a pipe
                    for raw in process.stdout:
                        line = self.redactor.text(raw.decode(errors="replace").rstrip("\r\n"))
                        lines.append(line)
                        log.write(f"{timestamp()} out {line}\n")
                        say(line)
            except WaitTimeout as error:
                what = self.redactor.text(f"{name} ({' '.join(argv)})")
                raise WaitTimeout(what, waited=error.waited, trace=lines[-20:]) from None
        return CommandResult(process.returncode, "\n".join(lines))

    def execute(
        self,
        service: str,
        argv: Sequence[str],
        streams: Streams,
        *,
        environment: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> int:
        """Run a command in a service's container, connected to the caller's streams."""
        is_terminal = os.isatty(streams.stdin) and os.isatty(streams.stdout)
        with self._executing.command(
            service,
            argv,
            stdin=streams.stdin,
            stdout=streams.stdout,
            stderr=streams.stderr,
            options=["--interactive", *(["--tty"] if is_terminal else [])],
            environment=environment,
            timeout=timeout,
        ) as process:
            process.wait()
        return process.returncode

    def start(self, services: Sequence[str]) -> None:
        """Start stopped services and wait until they are well."""
        self.wait_ready(RESTART_SECONDS, lambda _: None, services=services)

    def stop(self, services: Sequence[str]) -> None:
        """Stop services, in the way their stack file says."""
        for name in services:
            found = self.containers.inspect(name)
            self.notes.stopped(name)
            if found["State"]["Paused"]:
                self.api.unpause(found["Id"])
            self.api.stop(found["Id"], timeout=found["Config"].get("StopTimeout"))

    def restart(self, services: Sequence[str]) -> None:
        """Stop and start services and wait until they are well."""
        self.stop(services)
        self.start(services)

    def kill(self, services: Sequence[str], signal: str = "SIGKILL") -> None:
        """Send a signal to the main process of services.

        A container that Docker itself is told to kill stays down whatever its restart policy says,
        so the process is ended directly where that is allowed: that is what a crash looks like.
        """
        for name in services:
            found = self.containers.inspect(name)
            process = _process_of(found)
            number = int(getattr(signals, signal, 0))
            if process is None or not number or not process.kill(number):
                self.api.kill(found["Id"], signal)
            elif number == signals.SIGKILL and not found["State"]["Paused"]:
                # The first process of a container ends after all others of it (pid_namespaces(7)).
                wait_until(process.has_ended, timeout=KILL_SECONDS, what=f"the end of {name}")

    def pause(self, services: Sequence[str]) -> None:
        """Freeze all processes of services."""
        for name in services:
            freeze(self.api, self.containers.id_of(name), name)

    def unpause(self, services: Sequence[str]) -> None:
        """Let frozen services go on."""
        for name in services:
            thaw(self.api, self.containers.id_of(name), name)


def _process_of(found: Mapping[str, Any]) -> ProcessId | None:
    """The main process of a container, if the Docker Engine runs on this very machine.

    Elsewhere its number is that of another process here; the control group tells them apart.
    """
    pid = found["State"]["Pid"]
    process = ProcessId.of(pid) if pid else None
    try:
        groups = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8")
    except OSError:
        return None
    return process if found["Id"] in groups else None


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
