"""What every engine offers: a plan goes in, a running copy of the stack comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from stackproof.plan.model import Plan
from stackproof.reaper.run_folder import RunFolder
from stackproof.stack_file.model import StackFile

Say = Callable[[str], None]
"""Takes one line of progress; the library itself never prints."""


@dataclass(frozen=True)
class ServiceStatus:
    """What is known of one service now.

    Attributes:
        name: Name of the service.
        state: `waiting`, `starting`, `running`, `exited`, `failed`, `completed`, `restarting`,
            `stopped`, `paused` or `removed` (its container, by somebody else).
        health: `healthy`, `unhealthy`, `starting`, or "" where nothing is checked.
        pid: Its process, as seen from this machine; None where there is none.
        exit_code: Status of its last end; negative is minus the signal's number.
        restarts: How often its restart policy has started it again.
        detail: What it waits for, its last probe's answer, or why it failed.
        ready_after: Seconds from its own start to ready; None while it is not.
    """

    name: str
    state: str
    health: str = ""
    pid: int | None = None
    exit_code: int | None = None
    restarts: int = 0
    detail: str = ""
    ready_after: float | None = None

    @property
    def is_well(self) -> bool:
        """Whether nothing is left to wait for and nothing is wrong."""
        if self.state == "completed":
            return True
        return self.state == "running" and self.health in {"", "healthy"}


@dataclass(frozen=True)
class LogLine:
    """One line that a service wrote.

    Attributes:
        at: Wall clock, UTC, ISO 8601 with microseconds and a final Z.
        service: Who wrote it.
        stream: `out` or `err`.
        text: The line without its end, secrets masked.
    """

    at: str
    service: str
    stream: str
    text: str


@dataclass(frozen=True)
class CommandResult:
    """A command that was run inside a service's surroundings.

    Attributes:
        exit_code: Its exit status; negative is minus the signal's number.
        stdout: What it wrote to standard output.
        stderr: What it wrote to standard error.
    """

    exit_code: int
    stdout: str
    stderr: str = ""


@dataclass(frozen=True)
class Streams:
    """File descriptors that a command is connected to."""

    stdin: int
    stdout: int
    stderr: int


class RunningPlan(Protocol):
    """A plan that an engine has started; also reached from other processes than its owner."""

    def status(self) -> tuple[ServiceStatus, ...]:
        """What is known of each service now, in start order."""

    def wait_ready(self, timeout: float, say: Say) -> None:
        """Wait until every service is well.

        Raises:
            StartFailed: As soon as it is clear that one will not be, with the verdict.
        """

    def logs(
        self, services: Sequence[str] = (), *, tail: int | None = None, since: str = ""
    ) -> Iterator[LogLine]:
        """Lines of some services (none named: all), merged by time, oldest first."""

    def follow(self, services: Sequence[str] = ()) -> Iterator[LogLine]:
        """New lines as they are written, until the stack is gone."""

    def run(
        self, name: str, service: str, argv: Sequence[str], *, timeout: float, say: Say
    ) -> CommandResult:
        """Run a command in a service's surroundings, its output kept as the log `name`."""

    def execute(
        self,
        service: str,
        argv: Sequence[str],
        streams: Streams,
        *,
        environment: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> int:
        """Run a command in a service's surroundings, connected to the caller's streams.

        Args:
            service: Whose environment, folder, user and limits the command gets.
            argv: The command.
            streams: What it reads from and writes to.
            environment: Variables beside the service's own.
            timeout: Seconds after which the command is ended; None for no bound.

        Returns:
            Its exit status; negative is minus the signal's number.

        Raises:
            WaitTimeout: If it was ended because of the time-out.
        """

    def owns_data(self, service: str) -> bool:
        """Whether the data of a service were made by this run, and are nobody else's."""

    def details(self) -> Mapping[str, Any]:
        """All that the engine knows of each service, as plain values, secrets masked."""

    def start(self, services: Sequence[str]) -> None:
        """Start stopped services and wait until they are well."""

    def stop(self, services: Sequence[str]) -> None:
        """Stop services, in the way their stack file says."""

    def restart(self, services: Sequence[str]) -> None:
        """Stop and start services and wait until they are well."""

    def kill(self, services: Sequence[str], signal: str = "SIGKILL") -> None:
        """Send a signal to services."""

    def pause(self, services: Sequence[str]) -> None:
        """Freeze all processes of services."""

    def unpause(self, services: Sequence[str]) -> None:
        """Let frozen services go on."""


class Lease(Protocol):
    """Ties a run to the process that holds it: when that dies, the run is taken down.

    Attributes:
        refused: What could not be copied for the run, and why.
    """

    refused: dict[str, str]

    def release(self) -> None:
        """Let the run outlive this process."""

    def intend(self, path: Path) -> None:
        """Name a path outside the run folder that must not outlive the run."""

    def claim_ports(self, count: int) -> list[int]:
        """Free ports of 127.0.0.1 that belong to the run until it ends."""

    def close(self) -> None:
        """Close the connection to the reaper, which by itself means nothing to it."""


class SnapshotKeeper(Protocol):
    """How an engine keeps the data of a stack after migrate and seed, for others to start from.

    Each snapshot has a folder, its entry, whose name is its stack and key; an engine may keep
    further things elsewhere.
    """

    def inputs(self, plan: Plan, say: Say) -> list[str]:
        """What decides about the data and is the engine's own to know, such as image ids."""

    def foreign_data(self, stack_file: StackFile, services: Sequence[str]) -> list[str]:
        """Servers whose data no snapshot can hold, since they are not the copy's; in words."""

    def take(self, plan: Plan, run: RunFolder, draft: Path, entry: Path, say: Say) -> int:
        """Stop a running stack and keep its data.

        Args:
            plan: What runs.
            run: Its run folder.
            draft: An empty folder for what is kept as files.
            entry: Where that folder will be once it is complete.
            say: Takes lines of progress.

        Returns:
            Bytes that the data take.
        """

    def fault(self, entry: Path) -> str:
        """Why a snapshot can't be used; empty where it can."""

    def drop(self, entry: Path) -> list[str]:
        """Remove what a snapshot has outside its folder; tells what something still uses."""

    def entries(self) -> set[str]:
        """Folders of the snapshots that have something outside their folder."""


class Engine(Protocol):
    """Opens runs, starts plans in them, and finds those that run."""

    name: str

    @property
    def snapshots(self) -> SnapshotKeeper:
        """How it keeps snapshots."""

    def no_copies(self) -> str:
        """Why folders can't be copied for services here; empty where they can."""

    def open(
        self,
        run: RunFolder,
        plan: Plan | None = None,
        *,
        snapshot: Path | None = None,
        holes: tuple[Path, ...] = (),
    ) -> Lease:
        """Make a run and its folder; from now on the death of the caller ends it.

        Args:
            run: The run.
            plan: What it is for; None where nothing is to be started.
            snapshot: Folder of the snapshot that it will start from.
            holes: Folders that services write to though they lie in one that the run copies.
        """

    def start(
        self,
        plan: Plan,
        run: RunFolder,
        say: Say,
        *,
        lent: Mapping[str, str] | None = None,
        snapshot: Path | None = None,
    ) -> RunningPlan:
        """Prepare and begin all services of a plan, with empty data or those of a snapshot."""

    def replace(
        self,
        plan: Plan,
        names: list[str],
        run: RunFolder,
        say: Say,
        *,
        lent: Mapping[str, str] | None = None,
    ) -> RunningPlan:
        """Start some services of a running stack anew, as the plan has them now."""

    def build(self, plan: Plan, run: RunFolder, say: Say, *, again: bool = False) -> list[str]:
        """Build the images of a plan that are missing (`again`: all), and name them."""

    def keep_data(self, plan: Plan, run: RunFolder) -> None:
        """Stop a running stack so that its data survive `shut_down`, for the next start."""

    def drop_data(self, run: RunFolder) -> bool:
        """Remove data that were kept of an earlier run; tells whether there were any."""

    def attach(self, plan: Plan, run: RunFolder) -> RunningPlan:
        """The running copy of a plan.

        Raises:
            NoStack: If there is none.
        """

    def shut_down(
        self, run: RunFolder, seconds: float, say: Say, *, disposable: bool = False
    ) -> None:
        """Stop all services in order and remove everything that the run has made.

        Args:
            run: The run.
            seconds: What the services get to end in an orderly way.
            say: Takes a line where it does not go in order.
            disposable: Nobody wants the data, so the services are killed, all at once.

        Raises:
            TeardownIncomplete: If something is left.
        """
