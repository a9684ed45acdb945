"""One service of a running stack: its state, its log, commands in it, and faults."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from stackproof.engines.base import Command, CommandResult, RunningPlan, ServiceStatus, Streams
from stackproof.errors import ConfigError
from stackproof.plan.model import Plan


def no_such_service(plan: Plan, name: str) -> ConfigError:
    """The error for a name that no service of a plan has.

    Args:
        plan: The plan.
        name: The name.
    """
    if name in plan.replicas:
        replicas = plan.replicas[name]
        return ConfigError(
            f"{name} has {len(replicas)} replicas",
            remedy=f"name one of them: {', '.join(replicas)}",
        )
    return ConfigError(
        f"the stack {plan.stack} has no service {name!r}",
        observed=f"its services: {', '.join(service.name for service in plan.services)}",
        remedy="check the name; a service behind a profile needs --profile",
    )


@dataclass(frozen=True)
class ServiceHandle:
    """One service of a running stack.

    Attributes:
        name: Name of the service.
        running: The engine's side of the stack.
        restarted_with: The service, and those that are restarted with it.
        ended: Takes the services that were put out of action through a handle.
    """

    name: str
    running: RunningPlan
    restarted_with: tuple[str, ...] = ()
    ended: set[str] = field(default_factory=set)

    def state(self) -> ServiceStatus:
        """What is known of it now."""
        return next(status for status in self.running.status() if status.name == self.name)

    def logs(self, *, tail: int | None = None, since: str = "") -> str:
        """What it has written, secrets masked.

        Args:
            tail: Only so many last lines.
            since: Only lines from this time on (ISO 8601, UTC).
        """
        lines = self.running.logs([self.name], tail=tail, since=since)
        return "\n".join(line.text for line in lines)

    def exec(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 60.0,
        environment: Mapping[str, str] | None = None,
        stdin: str = "",
    ) -> CommandResult:
        """Run a command in the service's surroundings and collect what it writes.

        Args:
            argv: The command.
            timeout: Seconds after which it is ended.
            environment: Variables beside the service's own.
            stdin: What it reads.

        Raises:
            WaitTimeout: If it was ended because of the time-out.
        """
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            given.write(stdin.encode())
            given.seek(0)
            streams = Streams(given.fileno(), out.fileno(), err.fileno())
            command = Command(argv, environment or {}, timeout)
            code = self.running.execute(self.name, command, streams)
            return CommandResult(code, _content(out), _content(err))

    def start(self) -> None:
        """Start it and wait until it is well."""
        self.running.control("start", [self.name])
        self.ended.discard(self.name)

    def stop(self) -> None:
        """Stop it in the way that the stack file says."""
        self.ended.add(self.name)
        self.running.control("stop", [self.name])

    def restart(self) -> None:
        """Stop and start it, and what the stack file restarts with it; wait until all are well."""
        names = self.restarted_with or (self.name,)
        self.running.control("restart", names)
        self.ended.difference_update(names)

    def kill(self, signal: str = "SIGKILL") -> None:
        """Send it a signal."""
        self.ended.add(self.name)
        self.running.control("kill", [self.name], signal=signal)

    def pause(self) -> None:
        """Freeze all its processes."""
        self.ended.add(self.name)
        self.running.control("pause", [self.name])

    def unpause(self) -> None:
        """Let its frozen processes go on."""
        self.ended.discard(self.name)
        self.running.control("unpause", [self.name])

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop it for the time of a `with` block, and start it again whatever happens in there."""
        self.stop()
        try:
            yield
        finally:
            self.start()


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="backslashreplace")
