"""A running stack some of whose services are servers that it shares with other stacks."""

from __future__ import annotations

import heapq
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stackproof.engines.base import (
    Action,
    Command,
    CommandResult,
    LogLine,
    RunningPlan,
    Say,
    ServiceStatus,
    Streams,
)
from stackproof.engines.events import ServiceEvent
from stackproof.engines.network_faults import NetworkFault
from stackproof.engines.receipt import Receipt
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
        self.shared = [service.name for service in plan.services if service.shared]

    def status(self) -> tuple[ServiceStatus, ...]:
        """What is known of each service now; the shared ones first."""
        shared = (state for state in self.servers.status() if state.name in self.shared)
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

    def events(self, since: str) -> tuple[ServiceEvent, ...]:
        """What has happened to services since a moment; of the servers, to the shared ones."""
        shared = (event for event in self.servers.events(since) if event.service in self.shared)
        return (*shared, *self.own.events(since))

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
        shared = [service for service in self.shared if not services or service in services]
        own = [service for service in services if service not in self.shared]
        parts: list[tuple[RunningPlan, Sequence[str]]] = [(self.servers, shared)] if shared else []
        return [*parts, (self.own, own)] if own or not services else parts

    def run(self, name: str, service: str, command: Command, say: Say) -> CommandResult:
        """Run a command in the surroundings of one of the stack's own services.

        Raises:
            Refused: If the service is shared.
        """
        self._refuse([service], name)
        return self.own.run(name, service, command, say)

    def execute(self, service: str, command: Command, streams: Streams) -> int:
        """Run a command in a service's surroundings; in a shared one's with the stack's names."""
        if service not in self.shared:
            return self.own.execute(service, command, streams)
        names = self.plan.service(service).environment
        command = replace(command, environment={**names, **command.environment})
        return self.servers.execute(service, command, streams)

    def owns_data(self, service: str) -> bool:
        """Whether the data of a service were made by this run or the servers'."""
        return (self.servers if service in self.shared else self.own).owns_data(service)

    def details(self) -> Mapping[str, Any]:
        """All that the engine knows of each service."""
        return {**self.servers.details(), **self.own.details()}

    def receipt(self) -> Receipt | None:
        """What the stack's own services, and the shared ones, could do to their surroundings."""
        own, servers = self.own.receipt(), self.servers.receipt()
        return own if own is None or servers is None else own.with_services_of(servers, self.shared)

    def disturb(self, fault: NetworkFault) -> None:
        """Let something be wrong between services; a shared one is in the stack's own network."""
        self.own.disturb(fault)

    def control(self, action: Action, services: Sequence[str], *, signal: str = "SIGKILL") -> None:
        """Start, stop, restart, kill, pause or unpause the stack's own services.

        Raises:
            Refused: If one is shared.
        """
        self._refuse(services, signal if action == "kill" else action)
        self.own.control(action, services, signal=signal)

    def _refuse(self, services: Sequence[str], what: str) -> None:
        hit = [service for service in services if service in self.shared]
        if hit:
            raise Refused(
                f"{what} is refused: {', '.join(hit)} is shared with other tests",
                observed=f"`isolation.shared` of the stack config names {', '.join(hit)}",
                remedy="give the test a server of its own: @pytest.mark.stack(shared=[]), or take "
                "it out of `isolation.shared`",
            )
