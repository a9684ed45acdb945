"""What every engine offers: a plan goes in, a running copy of the stack comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from stackproof.engines.events import ServiceEvent
from stackproof.engines.network_faults import NetworkFault
from stackproof.engines.receipt import Receipt
from stackproof.engines.snapshot_keeping import SnapshotKeeper
from stackproof.errors import StackproofError
from stackproof.plan.model import Plan
from stackproof.reaper.run_folder import RunFolder

Say = Callable[[str], None]
"""Takes one line of progress; the library itself never prints."""

Action = Literal["start", "stop", "restart", "kill", "pause", "unpause"]
"""What can be done to services that run.

`start` and `restart` wait until they are well; `stop` ends them in the way their stack file says;
`kill` sends a signal to their main process; `pause` freezes all their processes.
"""


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
        start: `warm` where it was forked from a fork server, `cold: ` with the reason where it was
            not; empty where no forks were asked for.
    """

    name: str
    state: str
    health: str = ""
    pid: int | None = None
    exit_code: int | None = None
    restarts: int = 0
    detail: str = ""
    ready_after: float | None = None
    start: str = ""

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
class Command:
    """A command that is to be run in a service's surroundings.

    Attributes:
        argv: The program and its arguments.
        environment: Variables beside the service's own.
        timeout: Seconds after which it is ended; None for no bound.
    """

    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None

    def __str__(self) -> str:
        return " ".join(self.argv)


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

    def events(self, since: str) -> tuple[ServiceEvent, ...]:
        """What has happened to services since a moment, oldest first, as far as it is known."""

    def follow(self, services: Sequence[str] = ()) -> Iterator[LogLine]:
        """New lines as they are written, until the stack is gone."""

    def run(self, name: str, service: str, command: Command, say: Say) -> CommandResult:
        """Run a command in a service's surroundings, its output kept as the log `name`.

        Raises:
            WaitTimeout: If it was ended because of the time-out.
        """

    def execute(self, service: str, command: Command, streams: Streams) -> int:
        """Run a command in a service's surroundings, connected to the caller's streams.

        Returns:
            Its exit status; negative is minus the signal's number.

        Raises:
            WaitTimeout: If it was ended because of the time-out.
        """

    def owns_data(self, service: str) -> bool:
        """Whether the data of a service were made by this run, and are nobody else's."""

    def details(self) -> Mapping[str, Any]:
        """All that the engine knows of each service, as plain values, secrets masked."""

    def receipt(self) -> Receipt | None:
        """What its services could do to their surroundings; None where that can't be tried."""

    def disturb(self, fault: NetworkFault) -> None:
        """Let something be wrong between services, or right again.

        Raises:
            Refused: If that can't be had of this stack.
        """

    def control(self, action: Action, services: Sequence[str], *, signal: str = "SIGKILL") -> None:
        """Start, stop, restart, kill, pause or unpause services.

        Args:
            action: What is done to them.
            services: Their names.
            signal: What `kill` sends.
        """


@dataclass(frozen=True)
class Copies:
    """What a run needs to know before it is opened, for the folders that it copies.

    Attributes:
        plan: What the run is for.
        snapshot: Folder of the snapshot that it will start from; None for empty data.
        holes: Folders that services write to though they lie in one that the run copies.
        data: `copy` where the data of the snapshot are copied in any case; else they lie over
            those of the snapshot where that can be had.
    """

    plan: Plan
    snapshot: Path | None = None
    holes: tuple[Path, ...] = ()
    data: str = "auto"


@dataclass(frozen=True)
class Launch:
    """A plan, and what an engine needs beside it to start its services.

    Attributes:
        plan: The plan.
        run: Its run folder, which has been opened.
        say: Takes lines of progress.
        extra_env: Further variables, by service of a Python project; PYTHONPATH goes in front. The
            compose engine ignores them: containers have their own files.
        snapshot: Folder of a snapshot to start from; None for empty data.
        forks: Whether this process starts copies of the stack one after the other, so that Python
            services may be forked from a process that has imported their packages. The compose
            engine ignores it.
        cold: Services that are not.
    """

    plan: Plan
    run: RunFolder
    say: Say
    extra_env: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    snapshot: Path | None = None
    forks: bool = False
    cold: Sequence[str] = ()


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

    def lost(self) -> StackproofError | None:
        """How the supervisor or the reaper has ended; None where both live."""

    def close(self) -> None:
        """Close the connection to the reaper, which by itself means nothing to it."""


class Engine(Protocol):
    """Opens runs, starts plans in them, and finds those that run."""

    name: str

    @property
    def snapshots(self) -> SnapshotKeeper:
        """How it keeps snapshots."""

    def holder_of(self, port: int) -> str:
        """Who listens on a port of this machine, in words."""

    def no_copies(self) -> str:
        """Why folders can't be copied for services here; empty where they can."""

    def open(self, run: RunFolder, say: Say, copies: Copies | None = None) -> Lease:
        """Make a run and its folder; from now on the death of the caller ends it.

        Args:
            run: The run.
            say: Takes a line where making it takes long.
            copies: What it copies; None where nothing is to be started.
        """

    def start(self, launch: Launch) -> RunningPlan:
        """Prepare and begin all services of a plan."""

    def replace(
        self, launch: Launch, names: Sequence[str], removed: Sequence[str] = ()
    ) -> RunningPlan:
        """Start some services of a running stack anew, as the plan has them now.

        Args:
            launch: The plan.
            names: The services.
            removed: Services that the stack no longer has, to be stopped and removed.
        """

    def build(self, plan: Plan, run: RunFolder, say: Say, *, again: bool = False) -> list[str]:
        """Build the images of a plan that are missing (`again`: all), and name them."""

    def keep_data(self, plan: Plan, run: RunFolder) -> bool:
        """Stop a running stack so that its data survive `shut_down`; tells whether it has any."""

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
