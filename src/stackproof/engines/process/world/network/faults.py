"""Faults on the way between two services: a cut, lost packets, delays, a slow line.

A cut and losses happen to packets, those of connections that exist included. Delays and slow lines
are for TCP connections that are made from then on: they are redirected through this process.
Sources: arp(7); an address with a link address that nobody has is what a partition looks like.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple, Protocol

from stackproof.engines.process.guard.loop import READ, WRITE, Loop
from stackproof.engines.process.guard.sockets import bound, reset
from stackproof.engines.process.guard.targets import is_connected, start_connecting
from stackproof.engines.process.world.network.inside import Inside, enter
from stackproof.engines.process.world.network.names import Names
from stackproof.engines.process.world.network.netlink import Netlink
from stackproof.engines.process.world.network.nftables import (
    DESTINATION,
    INPUT,
    OUTPUT,
    SOURCE,
    Rule,
    Tables,
    address,
    by_chance,
    drop,
    has_mark,
    is_tcp,
    original_destination,
    redirect,
)
from stackproof.engines.process.world.network.slowdown import Pace, SlowConnection

NOBODYS_MAC = b"\x02\x00\x00\x00\x00\x01"
LOST, HELD_UP = "stackproof-lost", "stackproof-held-up"
SO_MARK, MARK = 36, 0x73746163
"""What is sent by this process itself is not redirected again."""

CUT_WORKS = "a cut needs no rules"
LOOPBACK = "127.0.0.1"
BACKLOG = 4096
Pair = frozenset[str]


class Fault(NamedTuple):
    """What is wrong between two services.

    Attributes:
        is_cut: Nothing arrives.
        lost: Share of the packets that do not arrive, between 0 and 1.
        pace: How connections are held up.
    """

    is_cut: bool = False
    lost: float = 0.0
    pace: Pace = Pace()


class Place(Protocol):
    """A service's network namespace.

    Attributes:
        namespace: Descriptor of it.
        netlink: Changes its neighbours.
        tables: Take its rules.
        tables_in_use: Names of those that it has.
        indices: Its interfaces, in the order in which the names know them.
    """

    namespace: int
    netlink: Netlink
    tables: Tables
    tables_in_use: set[str]
    indices: list[int]


class _Detour:
    """The listener in a room that its connections are redirected to."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.on_the_way: dict[int, tuple[socket.socket, socket.socket, str]] = {}


class Faults:
    """All that is wrong in a stack.

    Args:
        loop: Tells when something happens.
        inside: Makes listeners in rooms.
        names: Tell where services meet.
        rooms: Those that exist now.
        new_socket: Gives a TCP socket of a room that does not block.
    """

    def __init__(
        self,
        loop: Loop,
        inside: Inside,
        names: Names,
        rooms: Mapping[str, Place],
        new_socket: Callable[[str], socket.socket],
    ) -> None:
        self._loop = loop
        self._inside = inside
        self._names = names
        self._rooms = rooms
        self._new_socket = new_socket
        self._faults: dict[Pair, Fault] = {}
        self._detours: dict[str, _Detour] = {}

    def change(self, one: str, other: str, **values: object) -> None:
        """Let something be wrong between two services, beside what is wrong already.

        Args:
            one: A service.
            other: Another one.
            values: Attributes of the `Fault`.

        Raises:
            ValueError: If they have no network in common.
            OSError: If the kernel refuses; nothing is changed then.
        """
        pair = frozenset((one, other))
        before = self._faults.get(pair, Fault())
        self._check(one, other)
        self._set(pair, before._replace(**values))  # type: ignore[arg-type]
        try:
            self._apply(pair)
        except OSError:
            self._set(pair, before)
            with contextlib.suppress(OSError):
                self._apply(pair)
            raise

    def heal(self, one: str = "", other: str = "") -> None:
        """Let nothing be wrong any more, between two services, with one, or at all."""
        named = {one, other} - {""}
        for pair in [pair for pair in self._faults if named <= pair]:
            del self._faults[pair]
            self._apply(pair)

    def add_room(self, name: str) -> None:
        """Let what is wrong with a service hold in its new room."""
        for pair in self._faults:
            if name in pair and pair <= self._rooms.keys():
                self._apply(pair)

    def remove_room(self, name: str) -> None:
        """Let what is wrong with a service wait until it has a room again.

        Args:
            name: The service, which the names still know.
        """
        for other in {other for pair in self._faults if name in pair for other in pair - {name}}:
            if other in self._rooms:
                self._cut(other, name, Fault())
        self._end_detour(name)

    def _end_detour(self, name: str) -> None:
        detour = self._detours.pop(name, None)
        if detour is not None:
            self._loop.forget(detour.listener.fileno())
            detour.listener.close()

    def _check(self, one: str, other: str) -> None:
        for name in (one, other):
            if name not in self._rooms:
                raise ValueError(f"{name} is not part of the stack's network")
        if one == other or not self._names.shared(one, other):
            raise ValueError(f"{one} and {other} have no network in common")

    def _set(self, pair: Pair, fault: Fault) -> None:
        self._faults[pair] = fault
        if fault == Fault():
            del self._faults[pair]

    def _apply(self, pair: Pair) -> None:
        one, other = pair
        for mine, its in ((one, other), (other, one)):
            if mine in self._rooms:
                self._cut(mine, its, self._faults.get(pair, Fault()))
                self._lose(mine)
                self._hold_up(mine)

    def _cut(self, mine: str, its: str, fault: Fault) -> None:
        room = self._rooms[mine]
        for number, _, place in self._names.shared(mine, its):
            link = room.indices[number]
            if fault.is_cut:
                room.netlink.set_neighbour(link, place.address, NOBODYS_MAC)
            else:
                with contextlib.suppress(FileNotFoundError):
                    room.netlink.forget_neighbour(link, place.address)

    def _addresses(self, mine: str, wanted: Callable[[Fault], bool]) -> list[tuple[str, Fault]]:
        """Addresses that something is wrong with for a service."""
        return [
            (place.address, fault)
            for pair, fault in self._faults.items()
            if mine in pair and wanted(fault)
            for its in pair - {mine}
            for _, _, place in self._names.shared(mine, its)
        ]

    def _lose(self, mine: str) -> None:
        rules: list[Rule] = [
            [address(SOURCE, place), by_chance(fault.lost), drop()]
            for place, fault in self._addresses(mine, lambda fault: fault.lost > 0)
        ]
        self._set_rules(mine, LOST, INPUT, rules)

    def _hold_up(self, mine: str) -> None:
        held_up = self._addresses(mine, lambda fault: fault.pace != Pace())
        if not held_up:
            self._set_rules(mine, HELD_UP, OUTPUT, [])
            self._end_detour(mine)
            return
        if mine not in self._detours:
            self._detours[mine] = self._make_detour(mine)
        port = self._detours[mine].listener.getsockname()[1]
        rules: list[Rule] = [
            [is_tcp(), has_mark(MARK, wanted=False), address(DESTINATION, place), redirect(port)]
            for place, _ in held_up
        ]
        self._set_rules(mine, HELD_UP, OUTPUT, rules)

    def _set_rules(self, mine: str, table: str, hook: int, rules: list[Rule]) -> None:
        """Give a room rules; one that never had any needs no rights to lose them."""
        room = self._rooms[mine]
        if rules or table in room.tables_in_use:
            try:
                room.tables.set_rules(table, hook, rules)
            except OSError as error:
                raise OSError(error.errno, f"{error.strerror}; {CUT_WORKS}") from error
            room.tables_in_use.add(table)

    def _make_detour(self, mine: str) -> _Detour:
        namespace = self._rooms[mine].namespace
        detour = _Detour(self._inside.do(partial(_listening_in, namespace)))
        number = detour.listener.fileno()
        self._loop.watch(number, READ, lambda _: self._accept(mine, detour))
        return detour

    def _accept(self, mine: str, detour: _Detour) -> None:
        try:
            link, _ = detour.listener.accept()
        except OSError:
            return
        link.setblocking(False)  # noqa: FBT003 - the standard library's signature
        try:
            place = original_destination(link)
            server = self._new_socket(mine)
            server.setsockopt(socket.SOL_SOCKET, SO_MARK, MARK)
            start_connecting(server, place)
        except OSError:
            reset(link)
            return
        detour.on_the_way[server.fileno()] = link, server, place[0]
        self._loop.watch(server.fileno(), WRITE, partial(self._arrive, mine, detour))

    def _arrive(self, mine: str, detour: _Detour, number: int) -> None:
        link, server, place = detour.on_the_way[number]
        try:
            if not is_connected(server):
                return
        except OSError:
            self._loop.forget(number)
            server.close()
            reset(link)
        else:
            self._loop.forget(number)
            SlowConnection(self._loop, link, server, partial(self._pace, mine, place))
        del detour.on_the_way[number]

    def _pace(self, mine: str, place: str) -> Pace:
        """How a service's connections to an address are held up now."""
        for pair, fault in self._faults.items():
            if mine in pair and any(
                its.address == place
                for other in pair - {mine}
                for _, _, its in self._names.shared(mine, other)
            ):
                return fault.pace
        return Pace()


def _listening_in(namespace: int) -> socket.socket:
    enter(namespace)
    listener = bound((LOOPBACK, 0))
    listener.listen(BACKLOG)
    listener.setblocking(False)  # noqa: FBT003 - the standard library's signature
    return listener
