"""Opens a stack's way out, or keeps it shut: names, connections and ports of this machine.

Where the kernel lets no rule of nftables redirect what comes into the hub, listeners on a list of
ports take it in their place.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Sequence

from stackproof.engines.process.guard.connections import Connections
from stackproof.engines.process.guard.loop import READ, Loop
from stackproof.engines.process.guard.sockets import bound
from stackproof.engines.process.world.network import dns_message, forwarding
from stackproof.engines.process.world.network.forwarding import Exchange
from stackproof.engines.process.world.network.inside import Inside, enter
from stackproof.engines.process.world.network.names import Names
from stackproof.engines.process.world.network.namespaces import Hub
from stackproof.engines.process.world.network.nftables import (
    DESTINATION,
    PREROUTING,
    address,
    is_tcp,
    redirect,
)
from stackproof.engines.process.world.network.outbound import HERMETIC, Destinations, Outbound
from stackproof.engines.process.world.network.resolver import Asked
from stackproof.engines.process.world.network.tap import Attempt

BACKLOG = 4096
EVERYWHERE = "0.0.0.0"  # noqa: S104 - in the hub, which nobody outside reaches
TABLE = "stackproof-out"
USUAL_PORTS = (
    22, 25, 80, 443, 465, 587, 1433, 3306, 3389, 5432, 5671, 5672, 6379, 8000, 8080, 8443, 8883,
    9000, 9092, 9200, 9418, 11211, 11434, 27017,
)  # fmt: skip
"""Ports that are passed on where it can't be all of them."""

Network = tuple[str, int]


class WayOut:
    """Decides what leaves a stack.

    Args:
        loop: Tells when something happens.
        inside: Does what has to be done in the hub.
        hub: Where everything comes that leads outside.
        connections: Pass on what is said.
        names: Those of the stack.
        destinations: Tell of what leaves, and of what must not.
        at_gateway: Hears of attempts to reach this machine itself.
    """

    def __init__(
        self,
        loop: Loop,
        inside: Inside,
        hub: Hub,
        connections: Connections,
        names: Names,
        destinations: Destinations,
        at_gateway: Callable[[Attempt], None],
    ) -> None:
        self._loop = loop
        self._names = names
        self._at_gateway = at_gateway
        self._inside = inside
        self._hub = hub
        self._destinations = destinations
        self._outbound = Outbound(loop, connections, names, destinations)
        self._networks: dict[Network, None] = {}
        self._redirected_to = 0
        self._shortfall = ""
        loop.watch(hub.tap.socket.fileno(), READ, self._notice)

    @property
    def is_open(self) -> bool:
        """Whether anything may leave the stack."""
        return self._outbound.is_allowed

    def open(
        self, then: Callable[[str | Exception], None], host_ports: Collection[int] = ()
    ) -> None:
        """Pass on what leads outside from now on.

        Args:
            then: Hears what is not passed on, in words; nothing if all TCP is.
            host_ports: Ports that the hub answers on already, at the gateways.
        """

        def opened(result: tuple[list[socket.socket], str] | Exception) -> None:
            if isinstance(result, Exception):
                then(result)
                return
            listeners, self._shortfall = result
            if not self._shortfall:
                self._redirected_to = listeners[0].getsockname()[1]
                if networks != [*self._networks]:  # a room was made meanwhile
                    self._lead_to(self._redirected_to, [*self._networks])
            self._outbound.allow(listeners, redirected=not self._shortfall)
            then(self._shortfall)

        networks = [*self._networks]
        if self._outbound.is_allowed:
            then(self._shortfall)
        else:
            self._inside.submit(lambda: self._listen(networks, host_ports), opened)

    def shut(self) -> None:
        """Pass on nothing new from now on.

        Raises:
            OSError: If the kernel refuses.
        """
        if self._redirected_to:
            self._hub.tables.set_rules(TABLE, PREROUTING, [])
            self._redirected_to = 0
        self._outbound.forbid()

    def _listen(
        self, networks: Sequence[Network], taken: Collection[int]
    ) -> tuple[list[socket.socket], str]:
        """Listeners in the hub, and what they can't take in."""
        enter(self._hub.namespace)
        listener = _listening(0)
        try:
            self._lead_to(listener.getsockname()[1], networks)
        except OSError as error:
            listener.close()
            ports = [port for port in USUAL_PORTS if port not in taken]
            listed = ", ".join(map(str, ports))
            shortfall = (
                f"connections to other places are passed on to the ports {listed} alone, since "
                f"rules of nftables are not allowed here ({error.strerror})"
            )
            return [*map(_listening, ports)], shortfall
        return [listener], ""

    def _lead_to(self, port: int, networks: Sequence[Network]) -> None:
        others = [address(DESTINATION, *network, inside=False) for network in networks]
        self._hub.tables.set_rules(TABLE, PREROUTING, [[is_tcp(), *others, redirect(port)]])

    def add_network(self, network: Network) -> None:
        """Count a network as one of the stack's own.

        Raises:
            OSError: If the kernel refuses.
        """
        if network not in self._networks:
            self._networks[network] = None
            if self._redirected_to:
                self._lead_to(self._redirected_to, [*self._networks])

    def answer(self, asked: Asked) -> None:
        """Answer a question about a name outside the stack, if a service may know of it."""
        question = asked.question
        is_reverse = question.name.endswith(dns_message.REVERSE)
        if not self._outbound.is_allowed:
            if "." in question.name and not is_reverse:
                self._destinations.tell(asked.room, question.name, ("", 0), refused=HERMETIC)
            asked.reply(dns_message.answer(question, code=dns_message.NAME_ERROR))
            return
        addresses = forwarding.addresses_of(forwarding.read(forwarding.HOSTS), question.name)
        if addresses:
            self._outbound.known_hosts.note(asked.room, question.name, addresses)
            wanted = question.kind in {dns_message.A, dns_message.ANY}
            records = [*map(dns_message.address_record, addresses)] if wanted else []
            asked.reply(dns_message.answer(question, records=records))
        elif "." not in question.name:
            asked.reply(dns_message.answer(question, code=dns_message.NAME_ERROR))
        else:
            self._forward(asked)

    def _forward(self, asked: Asked) -> None:
        def answered(answer: bytes | None) -> None:
            if answer is None:
                failure = dns_message.SERVER_FAILURE
                answer = dns_message.answer(asked.question, code=failure)
            try:
                found = dns_message.addresses_in(answer)
            except dns_message.MalformedError:
                found = []
            self._outbound.known_hosts.note(asked.room, asked.question.name, found)
            asked.reply(answer)

        text = forwarding.read(forwarding.RESOLVERS)
        servers = [(one, forwarding.PORT) for one in forwarding.resolvers_of(text)]
        Exchange(self._loop, asked.data, over_tcp=asked.over_tcp, servers=servers, then=answered)

    def _notice(self, _: int) -> None:
        for attempt in self._hub.tap.read():
            if self._names.is_own(attempt.address):
                self._at_gateway(attempt)
            else:
                self._outbound.notice(attempt)


def _listening(port: int) -> socket.socket:
    listener = bound((EVERYWHERE, port))
    listener.listen(BACKLOG)
    listener.setblocking(False)  # noqa: FBT003 - the standard library's signature
    return listener
