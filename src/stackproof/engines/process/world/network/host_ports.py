"""Ports of this machine's loopback that services reach at their gateways, where that is allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stackproof.engines.process.guard.relay import Refuses, Relay
from stackproof.engines.process.world.network.listening import Listeners
from stackproof.engines.process.world.network.names import HOST_NAME, Names
from stackproof.engines.process.world.network.outbound import HERMETIC, ONLY_TCP, Destinations
from stackproof.engines.process.world.network.tap import Attempt

HOST = "127.0.0.1"
Answer = Callable[[tuple[str, int], int, Refuses], Relay]


class HostPorts:
    """What services reach of this machine itself, and what they don't.

    Args:
        names: Tell whose an address is.
        destinations: Tell of what is asked for.
        listeners: Tell who listens on this machine.
        answer: Answers at an address and port of a gateway in place of a port of this machine.
        is_hermetic: Whether services must reach nothing but each other.
    """

    def __init__(
        self,
        names: Names,
        destinations: Destinations,
        listeners: Listeners,
        answer: Answer,
        is_hermetic: Callable[[], bool],
    ) -> None:
        self._names = names
        self._destinations = destinations
        self._listeners = listeners
        self._answer = answer
        self._is_hermetic = is_hermetic
        self._gateways: list[str] = []
        self._ports: dict[int, int] = {}
        self._relays: dict[tuple[str, int], Relay] = {}

    def add_gateway(self, gateway: str) -> None:
        """Be reached at an address as well.

        Raises:
            OSError: If a port can't be had there.
        """
        if gateway and gateway not in self._gateways:
            self._gateways.append(gateway)
            self._open()

    def allow(self, ports: Mapping[int, int]) -> None:
        """Let services reach some ports, and no others any more.

        Args:
            ports: Port that is asked for → port of this machine.

        Raises:
            OSError: If a port can't be had at a gateway.
        """
        for place in list(self._relays):
            if self._ports[place[1]] != ports.get(place[1]):
                self._relays.pop(place).close()
        self._ports = dict(ports)
        self._open()

    def _open(self) -> None:
        for gateway in self._gateways:
            for port, here in self._ports.items():
                place = gateway, port
                if place not in self._relays:
                    self._relays[place] = self._answer(place, here, self._let_in)

    def _let_in(self, client: tuple[str, int], place: tuple[str, int]) -> str:
        self._destinations.tell(self._names.owner_of(client[0]), HOST_NAME, place, refused="")
        return ""

    def notice(self, attempt: Attempt) -> None:
        """Tell of an attempt that comes to nothing."""
        if attempt.address not in self._gateways:
            return
        place, refused, failed = (attempt.address, attempt.port), "", ""
        if attempt.port not in self._ports or attempt.protocol != "tcp":
            refused = self._why_not(attempt)
        else:
            here = HOST, self._ports[attempt.port]
            if self._listeners.have(here):
                return  # told when it is let in
            failed = f"nobody listens on {here[0]}:{here[1]} of this machine"
        service = self._names.owner_of(attempt.source)
        self._destinations.tell(service, HOST_NAME, place, refused=refused, failed=failed)

    def _why_not(self, attempt: Attempt) -> str:
        if self._is_hermetic():
            return HERMETIC
        if attempt.protocol != "tcp":
            return ONLY_TCP
        return f"`external` does not name {HOST_NAME}:{attempt.port}"
