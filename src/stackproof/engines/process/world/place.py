"""Runs the processes of a service in a room of its own, on the stack's own network."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence

from stackproof.engines.process.children import Child, Children
from stackproof.engines.process.fork_server.asking import fork_by
from stackproof.engines.process.fork_server.order import Order
from stackproof.engines.process.place import Ports, Start, Streams
from stackproof.engines.process.spec import Forked, ServiceSpec
from stackproof.engines.process.world.networks import Networks
from stackproof.engines.process.world.ports import RoomPorts
from stackproof.engines.process.world.rooms import Room
from stackproof.engines.process.world.spec import RoomSpec


class RoomPlace:
    """Implements `engines.process.place.Place`.

    The room is made when the service is started first, and lasts until it is no part of the stack
    any more: files outlast a restart, as a container's do. A command joins the processes of the
    service where there are any.

    Args:
        spec: The service.
        room: What its room is like.
        networks: The networks of the stack.
        children: Reaps what is started.
    """

    def __init__(
        self, spec: ServiceSpec, room: RoomSpec, networks: Networks, children: Children
    ) -> None:
        self.ports: Ports = RoomPorts(spec, self._process)
        self._spec = spec
        self._wanted = room
        self._networks = networks
        self._children = children
        self._room: Room | None = None
        self._main: Child | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        """Make the room, and publish its ports.

        Raises:
            OSError: If the kernel refuses a step, or a port of this machine is taken.
        """
        async with self._opening:
            if self._room is not None:
                return
            name = self._spec.name
            room = Room(self._wanted, await self._networks.enter(name, self._wanted))
            try:
                room.build()
                published = dict(zip(self._spec.ports, self._spec.container_ports, strict=True))
                await self._networks.publish(name, published)
            except BaseException:
                room.drop()
                await self._networks.leave(name)
                raise
            self._room = room

    def taken(self) -> tuple[int, str]:
        """Nobody: its ports are its own in its network, and published by now."""
        return 0, ""

    def start(self, start: Start, streams: Streams, before: Callable[[], None] | None) -> Child:
        """Start the service's main process, as the first one of its own."""
        self._main = self._spawn(start, streams, before, inside=0)
        return self._main

    def fork(self, start: Start, forked: Forked, streams: Streams, groups: Sequence[str]) -> Child:
        """Have a fork server begin the main process, as the first one of its own."""
        room = self._opened()
        order = Order(
            forked.argv, forked.script, forked.module, forked.arguments,
            start.env, start.cwd, start.uid, tuple(groups), room.spec,
        )  # fmt: skip
        self._main = self._children.adopt(fork_by(forked.server, room, order, streams))
        return self._main

    def run(self, start: Start, streams: Streams, before: Callable[[], None] | None) -> Child:
        """Start a process beside the main one, if that lives; else alone."""
        return self._spawn(start, streams, before, inside=self._process())

    def call(self, work: Callable[[], None], streams: Streams) -> Child:
        """Call a function in the room, beside the main process if that lives; else alone."""
        room = self._opened()
        try:
            pid = room.call(work, streams=streams, inside=self._process())
        except ProcessLookupError:  # it has ended meanwhile
            pid = room.call(work, streams=streams)
        return self._children.adopt(pid)

    def hears(self, number: int) -> bool:
        """Whether the main process has a handler: as PID 1, it loses any other signal.

        Source: pid_namespaces(7), "The namespace init process"; proc(5), SigCgt.
        """
        with (
            contextlib.suppress(OSError),
            open(f"/proc/{self._process()}/status", encoding="ascii") as file,
        ):
            for line in file:
                if line.startswith("SigCgt:"):
                    return number == signal.SIGKILL or bool(int(line[7:], 16) >> (number - 1) & 1)
        return True

    def _process(self) -> int:
        """The main process; 0 where there is none."""
        return self._main.pid if self._main and not self._main.ended.done() else 0

    def _spawn(
        self, start: Start, streams: Streams, before: Callable[[], None] | None, *, inside: int
    ) -> Child:
        pid = self._opened().spawn(
            start.argv,
            env=start.env,
            cwd=start.cwd,
            streams=streams,
            before=before,
            inside=inside,
            uid=start.uid,
        )
        return self._children.adopt(pid)

    def _opened(self) -> Room:
        if self._room is None:
            raise AssertionError(f"the room of {self._spec.name} has not been opened")
        return self._room

    async def close(self) -> None:
        """Give up the room, its network and its ports."""
        room, self._room = self._room, None
        if room is None:
            return
        if self._process():
            os.kill(self._process(), signal.SIGKILL)
        room.drop()
        await self._networks.leave(self._spec.name)
