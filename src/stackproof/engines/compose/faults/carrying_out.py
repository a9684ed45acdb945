"""A thread of a run's supervisor that breaks the network between containers, and heals it.

It answers on a socket of the run folder. A fault ends with the connection over which it was asked
for: a test process that is killed leaves none behind. A container that starts again has a new
network, and gets its faults again.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stackproof.engines.compose.faults.namespaces import (
    OTHER_WAY,
    ContainerRoom,
    UnreachableError,
    container_of,
    open_room,
    refusal,
)
from stackproof.engines.network_faults import NetworkFault
from stackproof.engines.process.guard.loop import READ, Loop
from stackproof.engines.process.guard.sockets import raise_file_limit, write_line
from stackproof.engines.process.socket_path import reachable
from stackproof.engines.process.world.network.faults import Faults, Pair
from stackproof.engines.process.world.network.inside import Inside, Stock
from stackproof.engines.process.world.network.names import Names
from stackproof.engines.process.world.network.slowdown import Pace

SOCKET = "network.sock"
CHUNK = 65536
LOOK_SECONDS = 0.2
"""Between two looks whether a container with a fault runs again."""

Inspect = Callable[[str], Mapping[str, Any] | None]


def serve(folder: Path, engine: str, inspect: Inspect) -> None:
    """Begin to answer, in a thread that ends with this process.

    Args:
        folder: The run folder.
        engine: Address of the Docker Engine.
        inspect: Gives what the Docker Engine knows of the container of a service; None if there
            is none.
    """
    if not sys.platform.startswith("linux"):
        return  # nobody asks: see `refusal`
    listener = socket.socket(socket.AF_UNIX)
    with reachable(folder / SOCKET) as address:
        listener.bind(address)
        Path(address).chmod(0o600)
    listener.listen()
    threading.Thread(target=FaultServer(listener, engine, inspect).run, daemon=True).start()


class FaultServer:
    """Carries out the faults of one run.

    Args:
        listener: Where they are asked for.
        engine: Address of the Docker Engine.
        inspect: Gives what it knows of a service's container.
    """

    def __init__(self, listener: socket.socket, engine: str, inspect: Inspect) -> None:
        self._loop = Loop()
        self._engine = engine
        self._inspect = inspect
        self._inside = Inside(self._loop)
        self._names = Names()
        self._rooms: dict[str, ContainerRoom] = {}
        self._stocks: dict[str, Stock] = {}
        self._owners: dict[Pair, int] = {}
        self._received: dict[int, bytes] = {}
        self._awaited: set[str] = set()
        self._faults = Faults(self._loop, self._inside, self._names, self._rooms, self._take_socket)
        self._loop.watch(listener.fileno(), READ, lambda _: self._accept(listener))

    def run(self) -> None:
        """Go on until the process ends."""
        self._loop.serve()

    def _accept(self, listener: socket.socket) -> None:
        link, _ = listener.accept()
        self._received[link.fileno()] = b""
        self._loop.watch(link.fileno(), READ, lambda _: self._read(link))

    def _read(self, link: socket.socket) -> None:
        number = link.fileno()
        try:
            data = link.recv(CHUNK)
        except OSError:
            data = b""
        if not data:
            self._loop.forget(number)
            del self._received[number]
            self._end_faults_of(number)
            link.close()
            return
        *lines, self._received[number] = (self._received[number] + data).split(b"\n")
        for line in lines:
            answer = self._answer(number, json.loads(line))
            with contextlib.suppress(OSError):
                link.sendall(json.dumps(answer).encode() + b"\n")

    def _answer(self, owner: int, request: dict[str, Any]) -> dict[str, str]:
        reason = refusal(sys.platform, os.geteuid(), self._engine)
        if reason:
            return {"error": reason, "remedy": OTHER_WAY}
        try:
            if "renew" in request:
                self._renew(request["renew"])
            else:
                self._carry_out(owner, NetworkFault(**request))
        except (UnreachableError, ValueError) as error:
            return {"error": str(error), "remedy": OTHER_WAY}
        except OSError as error:
            return {"error": str(error.strerror or error), "remedy": OTHER_WAY}
        return {}

    def _carry_out(self, owner: int, fault: NetworkFault) -> None:
        if fault.kind == "heal":
            self._heal(fault.one, fault.other)
            return
        raise_file_limit()
        for name in (fault.one, fault.other):
            self._look(name)
        self._faults.change(fault.one, fault.other, **_values_of(fault))
        self._owners[frozenset((fault.one, fault.other))] = owner

    def _renew(self, names: Sequence[str]) -> None:
        """Give services that were started again their faults, without waiting for a look."""
        for name in names:
            if any(name in pair for pair in self._owners):
                self._look(name)

    def _heal(self, one: str, other: str) -> None:
        named = {one, other} - {""}
        self._faults.heal(one, other)
        for pair in [pair for pair in self._owners if named <= pair]:
            del self._owners[pair]

    def _end_faults_of(self, owner: int) -> None:
        for pair in [pair for pair, whose in self._owners.items() if whose == owner]:
            with contextlib.suppress(OSError):  # the container may have gone
                self._heal(*pair)

    def _look(self, name: str) -> None:
        """Have the network of a service's container as it is now.

        Raises:
            UnreachableError: If it can't be entered.
        """
        found = self._inspect(name)
        if found is None:
            raise UnreachableError(
                f"{name} has no container of this stack: it was removed, or other tests share it"
            )
        container = container_of(name, found)
        if name in self._rooms and self._rooms[name].container == container:
            return
        self._leave(name)
        room = open_room(self._inside, container)
        self._rooms[name] = room
        self._names.add(name, container.interfaces)
        self._loop.watch(room.process, READ, lambda _: self._await(name))
        self._faults.add_room(name)

    def _leave(self, name: str) -> None:
        room = self._rooms.pop(name, None)
        if room is None:
            return
        with contextlib.suppress(OSError):
            self._faults.remove_room(name)
        self._names.remove(name)
        if (stock := self._stocks.pop(name, None)) is not None:
            stock.close()
        self._loop.forget(room.process)
        room.close()

    def _await(self, name: str) -> None:
        """Give a service its faults again when its container runs again."""
        self._leave(name)
        if name not in self._awaited:
            self._awaited.add(name)
            self._look_again(name)

    def _look_again(self, name: str) -> None:
        if not any(name in pair for pair in self._owners):
            self._awaited.discard(name)
            return
        try:
            self._look(name)
        except UnreachableError:
            self._loop.later(LOOK_SECONDS, lambda: self._look_again(name))
        except OSError as error:
            self._awaited.discard(name)
            write_line(f"stackproof: {name} runs again without its fault: {error.strerror}")
        else:
            self._awaited.discard(name)

    def _take_socket(self, name: str) -> socket.socket:
        if name not in self._stocks:
            self._stocks[name] = Stock(self._inside, self._rooms[name].namespace)
        return self._stocks[name].take()


def _values_of(fault: NetworkFault) -> dict[str, object]:
    """What changes between two services."""
    if fault.kind == "cut":
        return {"is_cut": True}
    if fault.kind == "lose":
        return {"lost": fault.percent / 100}
    return {"pace": Pace(fault.delay, fault.jitter, fault.rate)}
