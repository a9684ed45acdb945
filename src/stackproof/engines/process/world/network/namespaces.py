"""The network namespaces of a stack: the hub with its bridges, and one of each service.

Everything here is called by the thread that is inside (`Inside`). Sources: ip-sysctl of the
kernel's documentation; Docker's own way for addresses of links and the place of its resolver.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from stackproof.engines.process.world.network.inside import enter, new_namespace
from stackproof.engines.process.world.network.listening import Listeners
from stackproof.engines.process.world.network.netlink import Netlink, Veth, mac_of
from stackproof.engines.process.world.network.nftables import Tables
from stackproof.engines.process.world.network.tap import Tap

RESOLVER = ("127.0.0.11", 53)
LOOPBACK = 1
"""Index of `lo` in each namespace."""

SYSCTLS = "/proc/sys/net"
"""As the calling thread's namespace has them."""

PINGING_GROUPS = ("0 2147483647", "0 0")
"""All groups may use ping; where one group alone is mapped, that one."""


class Interface(NamedTuple):
    """A service's place in one of its networks.

    Attributes:
        network: Name of the network.
        address: Its IPv4 address.
        prefix: Bits of the network's part.
        gateway: The bridge's own address; empty for a network without a way out.
        names: By which others on the network reach it.
    """

    network: str
    address: str
    prefix: int
    gateway: str
    names: tuple[str, ...]

    @classmethod
    def of_json(cls, value: Mapping[str, object]) -> Interface:
        """An interface as it was sent."""
        names = value["names"]
        return cls(
            str(value["network"]),
            str(value["address"]),
            int(str(value["prefix"])),
            str(value["gateway"]),
            tuple(map(str, names)) if isinstance(names, list) else (),
        )


class Room:
    """The network namespace of a service, which the calling thread is in when it makes this.

    Args:
        name: The service.
        interfaces: Its places.
        namespace: Descriptor of the namespace.

    Attributes:
        netlink: Changes its routes and neighbours.
        listeners: Tell who listens in it.
        tables: Take its rules.
        tables_in_use: Names of those that it has.
        udp: Where its resolver is asked.
        tcp: The same.
        links: Names of the bridges' ports that lead to it.
        indices: Its own interfaces.
    """

    def __init__(self, name: str, interfaces: Sequence[Interface], namespace: int) -> None:
        self.name = name
        self.interfaces = interfaces
        self.namespace = namespace
        self.netlink = Netlink()
        self.listeners = Listeners()
        self.tables = Tables()
        self.tables_in_use: set[str] = set()
        self.udp = socket.socket(type=socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.tcp = socket.socket(type=socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.links: list[str] = []
        self.indices: list[int] = []

    def close(self) -> None:
        """Let go of the namespace, which ends with the last process in it."""
        for one in (self.netlink, self.listeners, self.tables, self.udp, self.tcp):
            one.close()
        os.close(self.namespace)


class Hub:
    """The namespace in the middle, which has a bridge for each network and routes nothing.

    What leads outside comes to it, and is refused by it at once unless somebody listens.

    Attributes:
        namespace: Descriptor of the namespace.
        tap: Sees what comes to it.
        tables: Take its rules.
    """

    def __init__(self) -> None:
        self.namespace = new_namespace()
        self.tap = Tap()
        self.tables = Tables()
        self._netlink = Netlink()
        self._bridges: dict[str, int] = {}
        self._count = 0
        self._netlink.set_up(LOOPBACK)
        _write("ipv4/ip_forward", "0")  # else as on this machine itself
        _set("ipv6/conf/default/disable_ipv6", "1")
        _set("ipv4/icmp_echo_ignore_all", "1")  # it must not answer for places outside
        _set("bridge/bridge-nf-call-iptables", "0")
        self._netlink.take_everything_in()

    def make_room(self, name: str, interfaces: Sequence[Interface]) -> Room:
        """Make a service's namespace, with a place in each of its networks.

        Raises:
            OSError: If the kernel refuses; nothing is left then.
        """
        room = _empty_room(name, interfaces)
        try:
            for number, interface in enumerate(interfaces):
                self._lead_to(room, interface, f"eth{number}")
            gateways = [one.gateway for one in interfaces if one.gateway]
            if gateways:
                room.netlink.add_gateway(gateways[0])
        except OSError:
            self.remove_room(room)
            raise
        return room

    def _lead_to(self, room: Room, interface: Interface, name: str) -> None:
        bridge = self._bridge(interface)
        link = f"v{self._count}"
        self._count += 1
        pair = Veth(link, bridge, name, room.namespace, mac_of(interface.address))
        self._netlink.add_veth(pair)
        room.links.append(link)
        enter(room.namespace)
        index = socket.if_nametoindex(name)
        room.indices.append(index)
        room.netlink.set_up(index)
        room.netlink.add_address(index, interface.address, interface.prefix)

    def _bridge(self, interface: Interface) -> int:
        """The index of a network's bridge."""
        if interface.network not in self._bridges:
            enter(self.namespace)
            name = f"br{len(self._bridges)}"
            self._netlink.add_bridge(name)
            index = socket.if_nametoindex(name)
            if interface.gateway:
                self._netlink.add_address(index, interface.gateway, interface.prefix)
            self._bridges[interface.network] = index
        return self._bridges[interface.network]

    def remove_room(self, room: Room) -> None:
        """Take a service out of its networks."""
        for link in room.links:
            with contextlib.suppress(OSError):
                self._netlink.remove_link(link)
        room.close()


def _empty_room(name: str, interfaces: Sequence[Interface]) -> Room:
    namespace = new_namespace()
    _set("ipv4/ip_unprivileged_port_start", "0")
    _set("ipv4/ping_group_range", *PINGING_GROUPS)
    _set("ipv6/conf/default/disable_ipv6", "1")
    room = Room(name, interfaces, namespace)
    try:
        room.netlink.set_up(LOOPBACK)
        room.udp.bind(RESOLVER)
        room.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        room.tcp.bind(RESOLVER)
        room.tcp.listen()
    except OSError:
        room.close()
        raise
    return room


def _set(name: str, *values: str) -> None:
    """Give a setting the first value that is allowed; a kernel without it needs none."""
    for value in values:
        with contextlib.suppress(OSError):
            _write(name, value)
            return


def _write(name: str, value: str) -> None:
    """Give a setting a value; what has it already need not be writable."""
    with open(f"{SYSCTLS}/{name}") as file:
        if file.read().strip() == value:
            return
    with open(f"{SYSCTLS}/{name}", "w") as file:
        file.write(value)
