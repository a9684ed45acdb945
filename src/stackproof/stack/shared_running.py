"""A running stack some of whose services are servers that it shares with other stacks."""

from __future__ import annotations

import heapq
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stackproof.engines.base import (
    CommandResult,
    LogLine,
    RunningPlan,
    Say,
    ServiceStatus,
    Streams,
)
from stackproof.errors import Refused
from stackproof.plan.model import Plan
from stackproof.plan.sharing.sharing import SharedPart


@dataclass(frozen=True)
class Share:
    """What one stack has of servers that another run has started.

    Attributes:
        parts: Its parts by service.
        running: The servers.
        release: Gives the parts back; their data are lost.
        keep: Lets the servers outlive this process, for a stack that is left up.
    """

    parts: Mapping[str, SharedPart]
    running: RunningPlan
    release: Callable[[], None]
    keep: Callable[[], None]


class SharedRunning:
    """Implements `engines.base.RunningPlan`: asks the servers' run about the shared services.

    Args:
        plan: The stack's plan, in which some services are shared.
        own: The services that belong to the stack alone.
        servers: The shared ones.
    """

    def __init__(self, plan: Plan, own: RunningPlan, servers: RunningPlan) -> None:
        self.plan = plan
        self.own = own
        self.servers = servers
        self.shared = [one.name for one in plan.services if one.shared]

    def _of(self, service: str) -> RunningPlan:
        return self.servers if service in self.shared else self.own

    def status(self) -> tuple[ServiceStatus, ...]:
        """What is known of each service now; the shared ones first."""
        shared = (one for one in self.servers.status() if one.name in self.shared)
        return (*shared, *self.own.status())

    def wait_ready(self, timeout: float, say: Say) -> None:
        """Wait until the stack's own services are well; the shared ones have been so."""
        self.own.wait_ready(timeout, say)

    def logs(
        self, services: Sequence[str] = (), *, tail: int | None = None, since: str = ""
    ) -> Iterator[LogLine]:
        """Lines of services, merged by time; a shared one has lines of all that use it."""
        found = [
            part.logs(names, tail=tail, since=since) for part, names in self._divided(services)
        ]
        return heapq.merge(*found, key=lambda line: line.at)

    def follow(self, services: Sequence[str] = ()) -> Iterator[LogLine]:
        """New lines as they are written, until the stack, or all that is followed, is gone."""
        parts = self._divided(services)
        lines: queue.SimpleQueue[LogLine | None] = queue.SimpleQueue()

        def relay(part: RunningPlan, names: Sequence[str], *, is_last: bool) -> None:
            for line in part.follow(names):
                lines.put(line)
            if is_last:
                lines.put(None)

        for part, names in parts:
            is_last = part is parts[-1][0]
            threading.Thread(
                target=relay, args=(part, names), kwargs={"is_last": is_last}, daemon=True
            ).start()
        return iter(lines.get, None)

    def _divided(self, services: Sequence[str]) -> list[tuple[RunningPlan, Sequence[str]]]:
        """The shared services and the stack's own ones among some; none named stands for all."""
        shared = [one for one in self.shared if not services or one in services]
        own = [one for one in services if one not in self.shared]
        parts: list[tuple[RunningPlan, Sequence[str]]] = [(self.servers, shared)] if shared else []
        return [*parts, (self.own, own)] if own or not services else parts

    def run(
        self, name: str, service: str, argv: Sequence[str], *, timeout: float, say: Say
    ) -> CommandResult:
        """Run a command in the surroundings of one of the stack's own services.

        Raises:
            Refused: If the service is shared.
        """
        self._refuse([service], f"{name} is refused")
        return self.own.run(name, service, argv, timeout=timeout, say=say)

    def execute(
        self,
        service: str,
        argv: Sequence[str],
        streams: Streams,
        *,
        environment: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> int:
        """Run a command in a service's surroundings; in a shared one's with the stack's names."""
        if service in self.shared:
            environment = {**self.plan.service(service).environment, **(environment or {})}
        return self._of(service).execute(
            service, argv, streams, environment=environment, timeout=timeout
        )

    def owns_data(self, service: str) -> bool:
        """Whether the data of a service were made by this run or the servers'."""
        return self._of(service).owns_data(service)

    def details(self) -> Mapping[str, Any]:
        """All that the engine knows of each service."""
        return {**self.servers.details(), **self.own.details()}

    def start(self, services: Sequence[str]) -> None:
        """Start stopped services and wait until they are well."""
        self._refuse(services, "start is refused")
        self.own.start(services)

    def stop(self, services: Sequence[str]) -> None:
        """Stop services."""
        self._refuse(services, "stop is refused")
        self.own.stop(services)

    def restart(self, services: Sequence[str]) -> None:
        """Stop and start services and wait until they are well."""
        self._refuse(services, "restart is refused")
        self.own.restart(services)

    def kill(self, services: Sequence[str], signal: str = "SIGKILL") -> None:
        """Send a signal to services."""
        self._refuse(services, f"{signal} is refused")
        self.own.kill(services, signal)

    def pause(self, services: Sequence[str]) -> None:
        """Freeze all processes of services."""
        self._refuse(services, "pause is refused")
        self.own.pause(services)

    def unpause(self, services: Sequence[str]) -> None:
        """Let frozen services go on."""
        self._refuse(services, "unpause is refused")
        self.own.unpause(services)

    def _refuse(self, services: Sequence[str], what: str) -> None:
        hit = [one for one in services if one in self.shared]
        if hit:
            raise Refused(
                f"{what}: {', '.join(hit)} is shared with other tests",
                observed=f"`isolation.shared` of the stack config names {', '.join(hit)}",
                remedy="give the test a server of its own: @pytest.mark.stack(shared=[]), or take "
                "it out of `isolation.shared`",
            )
