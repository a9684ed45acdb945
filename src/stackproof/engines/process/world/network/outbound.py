"""The way out of a stack: connections to other places, allowed or refused, and told either way.

A service's connection ends in the hub, and goes on from this machine's own network. Only TCP is
passed on.
"""

from __future__ import annotations

import socket
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from stackproof.engines.process.guard.connections import Connections
from stackproof.engines.process.guard.loop import READ, WRITE, Loop
from stackproof.engines.process.guard.sockets import reset
from stackproof.engines.process.guard.targets import is_connected, start_connecting
from stackproof.engines.process.world.network.names import Names
from stackproof.engines.process.world.network.nftables import original_destination
from stackproof.engines.process.world.network.servers import own_socket
from stackproof.engines.process.world.network.tap import Attempt

MOST_REMEMBERED = 10_000
HERMETIC = "the stack is hermetic"
ONLY_TCP = "only TCP is passed on"
NOT_HERE = "this port is not passed on here"
Place = tuple[str, int]


class KnownHosts:
    """Which host name led each service to an address, of those that were asked for last."""

    def __init__(self) -> None:
        self._hosts: OrderedDict[tuple[str, str], str] = OrderedDict()

    def note(self, room: str, host: str, addresses: Sequence[str]) -> None:
        """Remember what a service was told."""
        for one in addresses:
            self._hosts[room, one] = host
            self._hosts.move_to_end((room, one))
        while len(self._hosts) > MOST_REMEMBERED:
            self._hosts.popitem(last=False)

    def host_of(self, room: str, address: str) -> str:
        """The name of an address; empty if the service did not ask for one."""
        return self._hosts.get((room, address), "")


class Destinations:
    """Tells the supervisor of each destination once.

    Args:
        report: Takes what is told.
    """

    def __init__(self, report: Callable[[Mapping[str, object]], None]) -> None:
        self._report = report
        self._told: set[tuple[object, ...]] = set()

    def tell(
        self, service: str, host: str, place: Place, *, refused: str, failed: str = ""
    ) -> None:
        """Tell of a destination.

        Args:
            service: Who wants to go there.
            host: The name that led there; empty if it is not known.
            place: Address and port; an empty address where the name was refused already.
            refused: Why it may not; empty if it may.
            failed: What went wrong; empty if nothing did, so far.
        """
        known = (service, host, place, refused, failed)
        if known not in self._told and len(self._told) < MOST_REMEMBERED:
            self._told.add(known)
            self._report(
                {"kind": "outbound", "service": service, "host": host, "address": place[0],
                 "port": place[1], "refused": refused, "failed": failed}
            )  # fmt: skip


class Outbound:
    """Passes on what leaves the stack, if that is allowed.

    Args:
        loop: Tells when something happens.
        connections: Pass on what is said.
        names: Tell whose an address is.
        destinations: Tell of what leaves, and of what must not.
    """

    def __init__(
        self, loop: Loop, connections: Connections, names: Names, destinations: Destinations
    ) -> None:
        self._loop = loop
        self._connections = connections
        self._names = names
        self._destinations = destinations
        self.known_hosts = KnownHosts()
        self.is_allowed = False
        self._ports: frozenset[int] | None = None
        self._listeners: Sequence[socket.socket] = ()
        self._on_the_way: dict[int, tuple[socket.socket, socket.socket, str, Place]] = {}

    def allow(self, listeners: Sequence[socket.socket], *, redirected: bool) -> None:
        """Pass on from now on what comes to some listeners.

        Args:
            listeners: They listen in the hub.
            redirected: Whether a rule leads all connections to them.
        """
        self.is_allowed = True
        self._listeners = listeners
        ports = frozenset(one.getsockname()[1] for one in listeners)
        self._ports = None if redirected else ports
        wanted = original_destination if redirected else _own_name

        for listener in listeners:

            def ready(_: int, listener: socket.socket = listener) -> None:
                self._accept(listener, wanted)

            self._loop.watch(listener.fileno(), READ, ready)

    def forbid(self) -> None:
        """Pass on nothing new from now on."""
        self.is_allowed = False
        for listener in self._listeners:
            self._loop.forget(listener.fileno())
            listener.close()
        self._listeners = ()

    def notice(self, attempt: Attempt) -> None:
        """Tell of an attempt that this machine's kernel refuses in the stack's place."""
        if attempt.address == _BROADCAST:
            return
        if not self.is_allowed:
            refused = HERMETIC
        elif attempt.protocol != "tcp":
            refused = ONLY_TCP
        elif self._ports is not None and attempt.port not in self._ports:
            refused = NOT_HERE
        else:
            return  # told when it is accepted
        service, place = self._names.owner_of(attempt.source), (attempt.address, attempt.port)
        self._tell(service, place, refused=refused)

    def _tell(self, service: str, place: Place, *, refused: str = "", failed: str = "") -> None:
        host = self.known_hosts.host_of(service, place[0])
        self._destinations.tell(service, host, place, refused=refused, failed=failed)

    def _accept(self, listener: socket.socket, wanted: Callable[[socket.socket], Place]) -> None:
        try:
            link, peer = listener.accept()
        except OSError:
            return
        link.setblocking(False)  # noqa: FBT003 - the standard library's signature
        service = self._names.owner_of(peer[0])
        try:
            place = wanted(link)
        except OSError:
            place = "", 0
        if not service or self._names.is_own(place[0]) or not _is_elsewhere(place[0]):
            reset(link)
            return
        self._tell(service, place)
        self._set_out(link, service, place)

    def _set_out(self, link: socket.socket, service: str, place: Place) -> None:
        try:
            server = start_connecting(own_socket(), place)
        except OSError as error:
            self._fail(link, service, place, error)
            return
        self._on_the_way[server.fileno()] = link, server, service, place
        self._loop.watch(server.fileno(), WRITE, self._arrive)

    def _arrive(self, number: int) -> None:
        link, server, service, place = self._on_the_way[number]
        try:
            if not is_connected(server):
                return
        except OSError as error:
            self._loop.forget(number)
            server.close()
            self._fail(link, service, place, error)
        else:
            self._loop.forget(number)
            self._connections.join(link, server)
        del self._on_the_way[number]

    def _fail(self, link: socket.socket, service: str, place: Place, error: OSError) -> None:
        self._tell(service, place, failed=error.strerror or str(error))
        reset(link)


_BROADCAST = "255.255.255.255"


def _is_elsewhere(address: str) -> bool:
    """Whether an address is neither this machine's loopback nor for many."""
    first = int(address.split(".", maxsplit=1)[0] or "0")
    return first not in {0, 127} and first < 224  # noqa: PLR2004 - RFC 6890, RFC 5771


def _own_name(link: socket.socket) -> Place:
    host, port = link.getsockname()
    return str(host), int(port)
