"""Makes links, addresses, routes and neighbours in the network namespace of the calling thread.

Standard library only. Sources: netlink(7), rtnetlink(7), veth(4), arp(7); linux/if_link.h,
linux/if_addr.h, linux/rtnetlink.h, linux/neighbour.h of the kernel.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import NamedTuple

NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE = 1, 4, 0x400, 0x200, 0x100
NLMSG_ERROR = 2
NEW = NLM_F_CREATE | NLM_F_EXCL

RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR, RTM_NEWROUTE = 16, 17, 20, 24
RTM_NEWNEIGH, RTM_DELNEIGH = 28, 29
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MASTER, IFLA_LINKINFO, IFLA_NET_NS_FD = 1, 3, 10, 18, 28
IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 1, 2, 1
IFA_ADDRESS, IFA_LOCAL = 1, 2
RTA_OIF, RTA_GATEWAY = 4, 5
NDA_DST, NDA_LLADDR = 1, 2
IFF_UP = 1
RT_TABLE_MAIN, RTPROT_BOOT, RTN_UNICAST, RTN_LOCAL = 254, 3, 1, 2
SCOPE_GLOBAL, SCOPE_HOST = 0, 254
NUD_PERMANENT = 0x80
ENTIRE = 32
"""Bits of an IPv4 address."""

HEADER = struct.Struct("=IHHII")
"""Length, type, flags, sequence number, port (struct nlmsghdr)."""

LONGEST = 65536


class Veth(NamedTuple):
    """A pair of links: one end is a bridge's port here, the other an interface elsewhere.

    Attributes:
        name: The end here.
        bridge: Index of the bridge.
        peer: The name of the other end.
        namespace: Descriptor of the network namespace that the other end is in.
        mac: The other end's.
    """

    name: str
    bridge: int
    peer: str
    namespace: int
    mac: bytes


def attribute(kind: int, value: bytes | str | int) -> bytes:
    """A netlink attribute, padded; nested ones are bytes."""
    if isinstance(value, str):
        value = value.encode() + b"\0"
    elif isinstance(value, int):
        value = struct.pack("=I", value)
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def mac_of(address: str) -> bytes:
    """The link address that Docker gives to an interface with an IPv4 address."""
    return b"\x02\x42" + socket.inet_aton(address)


class Netlink:
    """A route socket of the namespace that the calling thread is in; any thread may use it."""

    def __init__(self) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        )
        self._socket.settimeout(10)
        self._socket.bind((0, 0))
        self._sequence = 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def add_bridge(self, name: str) -> None:
        """Make a bridge, which is up."""
        kind = attribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, "bridge"))
        body = _link(0, IFF_UP) + attribute(IFLA_IFNAME, name) + kind
        self._ask(RTM_NEWLINK, NEW, body, f"add bridge {name}")

    def add_veth(self, pair: Veth) -> None:
        """Make a pair; the end here is up, the other is not."""
        peer = attribute(
            VETH_INFO_PEER,
            _link(0, 0)
            + attribute(IFLA_IFNAME, pair.peer)
            + attribute(IFLA_NET_NS_FD, pair.namespace)
            + attribute(IFLA_ADDRESS, pair.mac),
        )
        info = attribute(IFLA_INFO_KIND, "veth") + attribute(IFLA_INFO_DATA, peer)
        body = (
            _link(0, 0)
            + attribute(IFLA_IFNAME, pair.name)
            + attribute(IFLA_MASTER, pair.bridge)
            + attribute(IFLA_LINKINFO, info)
        )
        self._ask(RTM_NEWLINK, NEW, body, f"add link {pair.name}")
        # an end can't be up before both exist
        up = _link(0, IFF_UP) + attribute(IFLA_IFNAME, pair.name)
        self._ask(RTM_NEWLINK, 0, up, f"set link {pair.name} up")

    def set_up(self, index: int) -> None:
        """Let a link work."""
        self._ask(RTM_NEWLINK, 0, _link(index, IFF_UP), f"set link {index} up")

    def remove_link(self, name: str) -> None:
        """Take a link away, and with it its other end."""
        body = _link(0, 0) + attribute(IFLA_IFNAME, name)
        self._ask(RTM_DELLINK, 0, body, f"remove link {name}")

    def add_address(self, index: int, address: str, prefix: int) -> None:
        """Give a link an IPv4 address."""
        packed = socket.inet_aton(address)
        body = (
            struct.pack("=BBBBI", socket.AF_INET, prefix, 0, SCOPE_GLOBAL, index)
            + attribute(IFA_LOCAL, packed)
            + attribute(IFA_ADDRESS, packed)
        )
        self._ask(RTM_NEWADDR, NEW, body, f"add address {address}")

    def add_gateway(self, gateway: str) -> None:
        """Send what is for nobody on the own networks to a gateway."""
        attributes = attribute(RTA_GATEWAY, socket.inet_aton(gateway))
        self._route(RTN_UNICAST, SCOPE_GLOBAL, attributes, f"add gateway {gateway}")

    def take_everything_in(self) -> None:
        """Treat whatever is for nobody on the own networks as if it were for this namespace."""
        loopback = attribute(RTA_OIF, socket.if_nametoindex("lo"))
        self._route(RTN_LOCAL, SCOPE_HOST, loopback, "add local route")

    def _route(self, kind: int, scope: int, attributes: bytes, words: str) -> None:
        head = struct.pack(
            "=BBBBBBBBI", socket.AF_INET, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, scope, kind, 0
        )
        self._ask(RTM_NEWROUTE, NEW, head + attributes, words)

    def set_neighbour(self, index: int, address: str, mac: bytes) -> None:
        """Send what is for an address on a link to a link address, without asking for it."""
        body = _neighbour(index, address) + attribute(NDA_LLADDR, mac)
        flags = NLM_F_CREATE | NLM_F_REPLACE
        self._ask(RTM_NEWNEIGH, flags, body, f"set neighbour {address}")

    def forget_neighbour(self, index: int, address: str) -> None:
        """Ask for the link address of an address anew."""
        self._ask(RTM_DELNEIGH, 0, _neighbour(index, address), f"forget neighbour {address}")

    def _ask(self, kind: int, flags: int, body: bytes, words: str) -> None:
        self._sequence += 1
        flags |= NLM_F_REQUEST | NLM_F_ACK
        head = HEADER.pack(HEADER.size + len(body), kind, flags, self._sequence, 0)
        self._socket.send(head + body)
        while True:
            answer = self._socket.recv(LONGEST)
            _, answered, _, sequence, _ = HEADER.unpack_from(answer)
            if answered == NLMSG_ERROR and sequence == self._sequence:
                (number,) = struct.unpack_from("=i", answer, HEADER.size)
                if number:
                    raise OSError(-number, f"{words}: {os.strerror(-number)}")
                return


def _link(index: int, flags: int) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, IFF_UP)


def _neighbour(index: int, address: str) -> bytes:
    head = struct.pack("=BxxxiHBB", socket.AF_INET, index, NUD_PERMANENT, 0, 0)
    return head + attribute(NDA_DST, socket.inet_aton(address))
