"""What the supervisor asks the network process for: rooms, ports, the way out, faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from stackproof.engines.process.world.network_link import NetworkError, NetworkLink

__all__ = ["Network", "NetworkError"]


class Place(Protocol):
    """A service's place in a network, such as `InterfaceSpec`."""

    @property
    def network(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def prefix(self) -> int: ...
    @property
    def gateway(self) -> str: ...
    @property
    def names(self) -> tuple[str, ...]: ...


class Network(NetworkLink):
    """The networks of a stack.

    What is told as an event: a `stranger` who was refused at a published port (`service`,
    `detail`), a `port lost` to another program (the same), a destination `outbound`.
    """

    async def room(self, name: str, interfaces: Sequence[Place]) -> int:
        """Make the network namespace of a service.

        Args:
            name: The service; names lead to it from now on.
            interfaces: Its places, the one with the way out first.

        Returns:
            A descriptor of the namespace, which belongs to the caller.

        Raises:
            NetworkError: If it can't be made.
        """
        places = [
            {"network": one.network, "address": one.address, "prefix": one.prefix,
             "gateway": one.gateway, "names": list(one.names)}
            for one in interfaces
        ]  # fmt: skip
        _, handles = await self.ask("room", name=name, interfaces=places)
        return handles[0]

    async def leave(self, name: str) -> None:
        """Take a service out of its networks, with its names and its published ports."""
        await self.ask("leave", name=name)

    async def publish(self, service: str, host_port: int, address: str, target: int) -> None:
        """Answer on a port of 127.0.0.1 in place of a service, whenever it listens.

        Args:
            service: Whose port it is; several services may be behind one address.
            host_port: The port of this machine.
            address: The address at which the service is reached inside.
            target: The port that it listens on inside.

        Raises:
            NetworkError: If the port is taken, or no service has the address.
        """
        await self.ask(
            "publish", service=service, host_port=host_port, address=address, target=target
        )

    async def unpublish(self, service: str) -> None:
        """Let go of the ports of a service."""
        await self.ask("unpublish", service=service)

    async def foreign(self, name: str, address: str, target: int, host_port: int) -> None:
        """Let a server of another run answer as a service of this stack, in a room made for it.

        Args:
            name: The service.
            address: Its address, in the room.
            target: The port that the stack's services reach it at.
            host_port: The port of 127.0.0.1 that the server listens on.

        Raises:
            NetworkError: If no room has the address.
        """
        await self.ask("stand in", name=name, address=address, target=target, host_port=host_port)

    async def outbound(self, *, allowed: bool, host_ports: Mapping[int, int] | None = None) -> str:
        """Say what services may reach outside the stack; without it, nothing.

        Each destination, passed on or refused, is told once as an event `outbound`: `service`,
        `host` (empty where the service has asked for no name), `address`, `port`, `refused` (why)
        and `failed` (what went wrong).

        Args:
            allowed: Whether connections to other places are passed on; they are refused otherwise.
            host_ports: Ports that are reached at the gateways, which is where
                `host.docker.internal` leads → port of this machine's loopback; no others any more.

        Returns:
            What is not passed on although it is allowed, in words; empty where all TCP is.

        Raises:
            NetworkError: If the way out can't be made.
        """
        ports = list((host_ports or {}).items())
        answer, _ = await self.ask("outbound", allowed=allowed, host_ports=ports)
        return str(answer["shortfall"])

    async def cut(self, one: str, other: str) -> None:
        """Let nothing pass between two services: what they say to each other is lost.

        Raises:
            NetworkError: If they have no network in common.
        """
        await self._fault("cut", one, other, is_cut=True)

    async def lose(self, one: str, other: str, percent: float) -> None:
        """Let so many in a hundred packets between two services be lost, in each direction.

        Raises:
            NetworkError: If they have no network in common, or rules of nftables are not allowed.
        """
        await self._fault("lose", one, other, lost=percent / 100)

    async def pace(
        self, one: str, other: str, *, delay: float = 0.0, jitter: float = 0.0, rate: float = 0.0
    ) -> None:
        """Hold up the TCP connections that two services make to each other from now on.

        Connections that exist are not held up, nor is anything but TCP.

        Args:
            one: A service.
            other: Another one.
            delay: Seconds that everything takes longer, in each direction.
            jitter: Seconds by which the delay varies, up and down.
            rate: Bytes a second, in each direction; 0 for no bound.

        Raises:
            NetworkError: If they have no network in common, or rules of nftables are not allowed.
        """
        pace = {"delay": delay, "jitter": jitter, "rate": rate}
        await self._fault("hold up", one, other, pace=pace)

    async def heal(self, one: str = "", other: str = "") -> None:
        """Let nothing be wrong between two services, with one, or at all; what is kept, goes on."""
        await self.ask("heal", one=one, other=other)

    async def _fault(self, what: str, one: str, other: str, **values: object) -> None:
        await self.ask("fault", what=what, one=one, other=other, values=values)
