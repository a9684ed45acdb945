"""The network of one stack: rooms, published ports and names, as its supervisor asks for them."""

from __future__ import annotations

import os
import socket
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from stackproof.engines.process.guard.connections import Connections
from stackproof.engines.process.guard.loop import Loop
from stackproof.engines.process.guard.peers import Admission
from stackproof.engines.process.guard.relay import Refuses, Relay
from stackproof.engines.process.guard.sockets import bound
from stackproof.engines.process.guard.targets import Target
from stackproof.engines.process.world.network.faults import Faults
from stackproof.engines.process.world.network.host_ports import HOST, HostPorts
from stackproof.engines.process.world.network.inside import Inside, Stock, enter
from stackproof.engines.process.world.network.listening import Listeners
from stackproof.engines.process.world.network.names import HOST_NAME, Names
from stackproof.engines.process.world.network.namespaces import Hub, Interface, Room
from stackproof.engines.process.world.network.outbound import Destinations
from stackproof.engines.process.world.network.resolver import Resolver
from stackproof.engines.process.world.network.servers import TcpServer, own_socket
from stackproof.engines.process.world.network.way_out import WayOut

Report = Callable[[Mapping[str, object]], None]


class StackNetwork:
    """What the main thread of the network process has to do with its stack.

    Args:
        loop: Tells when something happens.
        report: Takes what the supervisor should know.
    """

    def __init__(self, loop: Loop, report: Report) -> None:
        self._loop = loop
        self._report = report
        self.inside = Inside(loop)
        self._hub = self.inside.do(Hub)
        self._names = Names()
        self._rooms: dict[str, Room] = {}
        self._stocks: dict[str, Stock] = {"": Stock(self.inside, self._hub.namespace)}
        self._relays: defaultdict[tuple[str, str], list[Relay]] = defaultdict(list)
        self._connections = Connections(loop)
        self._listeners_here = Listeners()
        destinations = Destinations(report)
        self.host_ports = HostPorts(
            self._names,
            destinations,
            self._listeners_here,
            self._answer_for_this_machine,
            lambda: not self.way_out.is_open,
        )
        self.way_out = WayOut(
            loop, self.inside, self._hub, self._connections, self._names, destinations,
            self.host_ports.notice,
        )  # fmt: skip
        self.faults = Faults(
            loop, self.inside, self._names, self._rooms, lambda name: self._stock_of(name).take()
        )
        self._resolver = Resolver(loop, self._names, self.way_out.answer)
        run = f"STACKPROOF_RUN={os.environ.get('STACKPROOF_RUN', '')}"
        self._admission = Admission(run, None)

    def add_room(
        self, name: str, interfaces: Sequence[Interface], then: Callable[[Room | Exception], None]
    ) -> None:
        """Make the room of a service, and say when it is there."""

        def made(room: Room | Exception) -> None:
            if isinstance(room, Room):
                self._rooms[name] = room
                self._names.add(name, interfaces)
                self._resolver.serve(name, room.udp, room.tcp)
                try:
                    self._add_networks(interfaces)
                    self.faults.add_room(name)
                except OSError as error:
                    self.remove_room(name)
                    then(error)
                    return
            then(room)

        if name in self._rooms:
            then(ValueError(f"{name} has a room already"))
        else:
            self.inside.submit(partial(self._hub.make_room, name, interfaces), made)

    def _add_networks(self, interfaces: Sequence[Interface]) -> None:
        for one in interfaces:
            self.way_out.add_network((one.address, one.prefix))
            self.host_ports.add_gateway(one.gateway)

    def remove_room(self, name: str) -> None:
        """Take a service out of the stack, with its published ports and its names."""
        self.unpublish(name)
        room = self._rooms.pop(name, None)
        if room is None:
            return
        self._close_relays(lambda _, place: place == name)
        self.faults.remove_room(name)
        self._names.remove(name)
        self._resolver.forget(room.udp, room.tcp)
        stock = self._stocks.pop(name, None)
        if stock is not None:
            stock.close()
        self.inside.do(partial(self._hub.remove_room, room))

    def publish(self, service: str, port: socket.socket, address: str, target: int) -> None:
        """Answer on a port of this machine in place of a service.

        Args:
            service: Whose port it is.
            port: Bound, and not listening.
            address: The service's own; the room that has it is where the server is.
            target: The port that the server listens on.
        """
        room = self._room_at(address)
        server = TcpServer((address, target), room.listeners, self._stock_for(room, address).take)
        relay = self._relay(service, port, server, self._admission.refuses)
        self._relays[service, room.name].append(relay)

    def stand_in(self, service: str, address: str, target: int, host_port: int) -> None:
        """Answer at a service's place with a server that listens on this machine's loopback."""
        room = self._room_at(address)
        port = self.inside.do(partial(_bound_in, room.namespace, (address, target)))
        server = TcpServer((HOST, host_port), self._listeners_here, own_socket)
        relay = self._relay(service, port, server, _lets_everybody_in)
        self._relays[service, room.name].append(relay)

    def _answer_for_this_machine(
        self, place: tuple[str, int], host_port: int, refuses: Refuses
    ) -> Relay:
        port = self.inside.do(partial(_bound_in, self._hub.namespace, place))
        server = TcpServer((HOST, host_port), self._listeners_here, own_socket)
        return self._relay(HOST_NAME, port, server, refuses)

    def unpublish(self, service: str) -> None:
        """Let go of a service's ports."""
        self._close_relays(lambda whose, _: whose == service)

    def _close_relays(self, are_meant: Callable[[str, str], bool]) -> None:
        for key in [key for key in self._relays if are_meant(*key)]:
            for relay in self._relays.pop(key):
                relay.close()

    def _relay(self, service: str, port: socket.socket, server: Target, refuses: Refuses) -> Relay:
        host, number = port.getsockname()
        failures: set[str] = set()

        def say(line: str) -> None:
            self._report({"kind": "stranger", "service": service, "detail": line})

        def fail(error: OSError) -> None:
            detail = f"stackproof: {host}:{number} can't be listened on: {error.strerror}"
            if detail not in failures:
                failures.add(detail)
                self._report({"kind": "port lost", "service": service, "detail": detail})

        return Relay(self._loop, self._connections, port, server, refuses, say, fail)

    def _room_at(self, address: str) -> Room:
        owner = self._names.owner_of(address)
        if not owner:
            raise ValueError(f"no service of the stack has the address {address}")
        return self._rooms[owner]

    def _stock_for(self, room: Room, address: str) -> Stock:
        """Sockets from which an address is reached: the hub's, or the room's own if it has none."""
        leads_out = any(one.gateway for one in room.interfaces if one.address == address)
        return self._stock_of("" if leads_out else room.name)

    def _stock_of(self, name: str) -> Stock:
        if name not in self._stocks:
            self._stocks[name] = Stock(self.inside, self._rooms[name].namespace)
        return self._stocks[name]


def _bound_in(namespace: int, address: tuple[str, int]) -> socket.socket:
    enter(namespace)
    return bound(address)


def _lets_everybody_in(_client: tuple[str, int], _server: tuple[str, int]) -> str:
    return ""
