"""The networks of a run's rooms, made by its network process when the first room needs them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping

from stackproof.engines.network_faults import NetworkFault
from stackproof.engines.process.children import Children
from stackproof.engines.process.world.network_client import Network, NetworkError
from stackproof.engines.process.world.spec import RoomSpec


class Networks:
    """Which service is in which network; one of these belongs to a run.

    Args:
        make: Makes the network process's client.
        children: Starts that process.
        tell: Takes what outside services don't reach although they may, in words.

    Attributes:
        shortfall: What outside they don't reach although they may, in words.
    """

    def __init__(
        self, make: Callable[[], Network], children: Children, tell: Callable[[str], None]
    ) -> None:
        self._make = make
        self._children = children
        self._tell = tell
        self._network: Network | None = None
        self._hermetic = False
        self._host_ports: Mapping[int, int] = {}
        self.shortfall = ""
        self._handles: dict[str, int] = {}
        self._starting = asyncio.Lock()
        self._addresses: dict[str, str] = {}

    async def allow(self, *, hermetic: bool, host_ports: Mapping[int, int]) -> None:
        """Say what services reach outside the stack, from now on.

        Args:
            hermetic: Whether it is nothing at all.
            host_ports: Ports that they reach at this machine's name → port of this machine.

        Raises:
            OSError: If that can't be had.
        """
        self._hermetic, self._host_ports = hermetic, host_ports
        if self._network is not None:
            await self._open(self._network)

    async def _open(self, network: Network) -> None:
        try:
            self.shortfall = await network.outbound(
                allowed=not self._hermetic, host_ports=self._host_ports
            )
        except NetworkError as error:
            raise OSError(str(error)) from error
        if self.shortfall:
            self._tell(self.shortfall)

    async def enter(self, name: str, room: RoomSpec) -> int:
        """Give a service its place in the networks.

        Args:
            name: The service.
            room: What its room is like.

        Returns:
            The handle of its network namespace, which stays this object's.

        Raises:
            OSError: If it can't be had.
        """
        if room.joins:
            if room.joins not in self._handles:
                raise OSError(f"{room.joins}, whose network it shares, has not been started")
            self._addresses[name] = self._addresses[room.joins]
            return self._handles[room.joins]
        self._addresses[name] = room.interfaces[0].address if room.interfaces else ""
        try:
            network = await self._started()
            self._handles[name] = await network.room(name, room.interfaces)
        except NetworkError as error:
            raise OSError(str(error)) from error
        return self._handles[name]

    async def publish(self, name: str, ports: Mapping[int, int]) -> None:
        """Answer on ports of this machine in place of a service.

        Args:
            name: The service.
            ports: Port of this machine → port that it listens on.

        Raises:
            OSError: If one is taken.
        """
        address = self._addresses[name]
        if not address:
            return
        network = await self._started()
        try:
            for port, target in ports.items():
                await network.publish(name, port, address, target)
        except NetworkError as error:
            raise OSError(str(error)) from error

    async def borrow(self, name: str, room: RoomSpec, ports: Mapping[int, int]) -> None:
        """Let a server of another run answer as a service of this one.

        Args:
            name: The service.
            room: Its place in the networks; nothing runs in it.
            ports: Port that it is reached at there → its port of this machine.

        Raises:
            OSError: If that can't be.
        """
        if name in self._handles:
            return
        await self.enter(name, room)
        network = await self._started()
        try:
            for target, port in ports.items():
                await network.foreign(name, self._addresses[name], target, port)
        except NetworkError as error:
            raise OSError(str(error)) from error

    async def disturb(self, fault: NetworkFault) -> None:
        """Let something be wrong between services, or right again.

        Raises:
            OSError: If they have no network in common, or the kernel refuses.
        """
        network = await self._started()
        one, other = fault.one, fault.other
        try:
            if fault.kind == "cut":
                await network.cut(one, other)
            elif fault.kind == "lose":
                await network.lose(one, other, fault.percent)
            elif fault.kind == "pace":
                await network.pace(
                    one, other, delay=fault.delay, jitter=fault.jitter, rate=fault.rate
                )
            else:
                await network.heal(one, other)
        except NetworkError as error:
            raise OSError(str(error)) from error

    async def leave(self, name: str) -> None:
        """Take a service out of its networks."""
        if self._addresses.pop(name, None) is None:
            return
        network = await self._started()
        handle = self._handles.pop(name, None)
        if handle is not None:
            os.close(handle)
        if not network.runs:
            return
        if handle is None:  # the network is that of the service that it has joined
            await network.unpublish(name)
        else:
            await network.leave(name)

    async def _started(self) -> Network:
        async with self._starting:
            if self._network is None:
                network = self._make()
                network.start(self._children)
                await self._open(network)
                self._network = network
        return self._network
