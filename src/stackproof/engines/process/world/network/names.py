"""Which names and addresses the services of a stack know of each other."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from stackproof.engines.process.world.network.namespaces import Interface

HOST_NAME = "host.docker.internal"
HOST_NAMES = frozenset({HOST_NAME, "gateway.docker.internal", "host.containers.internal"})
"""What this machine is called by its containers."""


class Names:
    """The names of a stack: a service knows those of its own networks alone."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[Interface, ...]] = {}

    def add(self, room: str, interfaces: Sequence[Interface]) -> None:
        """Let a service be known."""
        self._places[room] = tuple(interfaces)

    def remove(self, room: str) -> None:
        """Let a service be known no more."""
        self._places.pop(room, None)

    def addresses(self, room: str, name: str) -> list[str]:
        """Where a name leads to from a service; several where several share it.

        Args:
            room: The service that asks.
            name: The name in lower case.
        """
        found = [
            one.address
            for one in self._neighbours(room)
            if any(known.casefold() == name for known in one.names)
        ]
        if not found and name in HOST_NAMES:
            found = [one.gateway for one in self._places.get(room, ()) if one.gateway][:1]
        return found

    def name_of(self, room: str, address: str) -> str:
        """The name that an address has for a service; empty if it has none."""
        for one in self._neighbours(room):
            if one.address == address and one.names:
                return one.names[0]
        return ""

    def owner_of(self, address: str) -> str:
        """The service that has an address; empty if none has."""
        for room, interfaces in self._places.items():
            if any(one.address == address for one in interfaces):
                return room
        return ""

    def is_own(self, address: str) -> bool:
        """Whether an address lies in one of the stack's networks, whoever has it."""
        return any(
            contains(one.address, one.prefix, address)
            for interfaces in self._places.values()
            for one in interfaces
        )

    def shared(self, one: str, other: str) -> list[tuple[int, Interface, Interface]]:
        """Where two services meet: the number of the first one's interface, and both places."""
        return [
            (number, mine, its)
            for number, mine in enumerate(self._places.get(one, ()))
            for its in self._places.get(other, ())
            if mine.network == its.network
        ]

    def _neighbours(self, room: str) -> list[Interface]:
        networks = [one.network for one in self._places.get(room, ())]
        return [
            one
            for network in networks
            for places in self._places.values()
            for one in places
            if one.network == network
        ]


def contains(network: str, prefix: int, address: str) -> bool:
    """Whether an address lies in the network of another one."""
    one, other = (int.from_bytes(socket.inet_aton(text)) for text in (network, address))
    return (one ^ other) >> (32 - prefix) == 0
