"""Where the processes of a service run: on this machine as it is, or in a room of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from stackproof.engines.process.capture import LogFile
from stackproof.engines.process.children import Child, Children
from stackproof.engines.process.fork_server.asking import ColdError
from stackproof.engines.process.guard.port import GuardedPort
from stackproof.engines.process.listeners import holder_of
from stackproof.engines.process.own_processes import OwnProcesses
from stackproof.engines.process.service_ports import ServicePorts
from stackproof.engines.process.spec import Forked, ServiceSpec
from stackproof.reaper.port_claims import is_free

Streams = tuple[int, int, int]
"""File descriptors of a process's input, output and error output."""


@dataclass(frozen=True)
class Start:
    """A process that is to be started.

    Attributes:
        argv: Program and arguments.
        env: Its whole environment.
        cwd: Folder to start in.
        uid: User and group to run as; None for those of the place.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    uid: int | None = None


class Ports(Protocol):
    """What is seen of the TCP ports of one service."""

    def forget(self) -> None:
        """Begin anew, since the service does."""

    async def listening(self) -> Mapping[int, bool]:
        """Ports that the service itself listens on, with whether others reach each."""

    def doubt(self) -> str:
        """Why the service is not reached on its ports though its probe says that it is ready."""

    def mistaken(self) -> tuple[int, int]:
        """A port that it listens on in place of its own, and its own; or 0, 0."""


class Place(Protocol):
    """Where one service runs."""

    ports: Ports

    def open(self) -> Awaitable[None]:
        """Make it ready for a process; nothing happens if it is.

        Raises:
            OSError: If it can't be had.
        """

    def taken(self) -> tuple[int, str]:
        """The first of its ports that somebody else has, and who; or 0 and nothing."""

    def start(self, start: Start, streams: Streams, before: Callable[[], None] | None) -> Child:
        """Start the service's main process.

        Raises:
            OSError: If it can't be started.
        """

    def fork(self, start: Start, forked: Forked, streams: Streams, groups: Sequence[str]) -> Child:
        """Have a fork server begin the service's main process.

        Args:
            start: The process.
            forked: How it is begun.
            streams: Its streams.
            groups: Files of control groups that it writes itself to.

        Raises:
            OSError: If it can't be started.
            ColdError: If no fork server begins it here.
        """

    def run(self, start: Start, streams: Streams, before: Callable[[], None] | None) -> Child:
        """Start a further process beside it.

        Raises:
            OSError: If it can't be started.
        """

    def call(self, work: Callable[[], None], streams: Streams) -> Child:
        """Call a function as a process of the service, beside the main one if that lives.

        It is a copy of this process, with the service's rights, and ends with the function.

        Raises:
            OSError: If it can't be had.
        """

    def hears(self, number: int) -> bool:
        """Whether a signal does anything to the main process."""

    def close(self) -> Awaitable[None]:
        """Give it up; the service is no part of the stack any more."""


class Machine:
    """This machine as it is: its network, its files.

    Args:
        spec: The service.
        loop: The running event loop.
        children: Starts processes.
        processes: Those of the service.
        log: The service's log.
    """

    def __init__(
        self,
        spec: ServiceSpec,
        loop: asyncio.AbstractEventLoop,
        children: Children,
        processes: OwnProcesses,
        log: LogFile,
    ) -> None:
        self.ports: Ports = ServicePorts(spec, processes)
        self._spec = spec
        self._children = children
        self._guard = GuardedPort(spec, loop, children, log)

    async def open(self) -> None:
        """Nothing: it is there."""

    def taken(self) -> tuple[int, str]:
        """The first of its ports that somebody else has, and who; or 0 and nothing."""
        found = next((port for port in self._spec.ports if not is_free(port)), 0)
        return found, holder_of(found) if found else ""

    def start(self, start: Start, streams: Streams, before: Callable[[], None] | None) -> Child:
        """Start the service's main process, behind its guard where it has one."""
        self._guard.start()
        child = self.run(start, streams, before)
        self._guard.watch(child)
        return child

    def fork(self, *_: object) -> Child:
        """Refuse: it takes a room."""
        raise ColdError("fork servers need a private world")

    def run(self, start: Start, streams: Streams, before: Callable[[], None] | None) -> Child:
        """Start a process in the service's surroundings."""
        return self._children.spawn(
            start.argv,
            env=start.env,
            cwd=start.cwd,
            streams=streams,
            uid=start.uid,
            before=before,
        )

    def call(self, work: Callable[[], None], streams: Streams) -> Child:
        """Call a function in a copy of this process, as the service's user."""
        return self._children.call(work, streams=streams, uid=self._spec.uid)

    def hears(self, number: int) -> bool:  # noqa: ARG002 - the protocol's
        """Yes: what has no handler ends by it."""
        return True

    async def close(self) -> None:
        """Nothing: it stays."""
