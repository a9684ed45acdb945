"""The supervisor's requests to the network process: messages of JSON, descriptors beside them.

Each message has a number, and so has its answer; what has none is an event.
"""

from __future__ import annotations

import json
import os
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stackproof.engines.process.guard.loop import READ, WRITE, Loop
from stackproof.engines.process.guard.sockets import bound
from stackproof.engines.process.world.network.host_ports import HOST
from stackproof.engines.process.world.network.namespaces import Interface, Room
from stackproof.engines.process.world.network.slowdown import Pace
from stackproof.engines.process.world.network.stack_network import StackNetwork

LONGEST = 1 << 18
Request = dict[str, Any]


class Requests:
    """The network process's end of its socket.

    Args:
        loop: Tells when a request comes.
        link: A socket of messages to the supervisor.
    """

    def __init__(self, loop: Loop, link: socket.socket) -> None:
        self._loop = loop
        self._link = link
        self._unsent: deque[tuple[bytes, Sequence[int]]] = deque()
        link.setblocking(False)  # noqa: FBT003 - the standard library's signature
        self._network = StackNetwork(loop, lambda event: self._send({"event": dict(event)}))
        loop.watch(link.fileno(), READ, self._serve)

    def _serve(self, _: int) -> None:
        self._send_rest()
        try:
            data = self._link.recv(LONGEST)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            os._exit(0)  # the supervisor has gone; the namespaces go with this process
        request = json.loads(data)
        try:
            self._carry_out(request)
        except (OSError, ValueError) as error:
            self._fail(request, error)

    def _carry_out(self, request: Request) -> None:
        operations: dict[str, Callable[[Request], None]] = {
            "leave": lambda one: self._network.remove_room(one["name"]),
            "publish": self._publish,
            "unpublish": lambda one: self._network.unpublish(one["service"]),
            "stand in": self._stand_in,
            "fault": self._change_fault,
            "heal": lambda one: self._network.faults.heal(one["one"], one["other"]),
        }
        kind = request["do"]
        if kind in {"room", "outbound"}:  # the answer comes later
            (self._make_room if kind == "room" else self._open)(request)
            return
        operations[kind](request)
        self._send({"id": request["id"]})

    def _make_room(self, request: Request) -> None:
        def then(room: Room | Exception) -> None:
            if isinstance(room, Exception):
                self._fail(request, room)
            else:
                self._send({"id": request["id"]}, [room.namespace])

        interfaces = [*map(Interface.of_json, request["interfaces"])]
        self._network.add_room(request["name"], interfaces, then)

    def _open(self, request: Request) -> None:
        def then(shortfall: str | Exception) -> None:
            if isinstance(shortfall, Exception):
                self._fail(request, shortfall)
            else:
                self._send({"id": request["id"], "shortfall": shortfall})

        ports = {int(port): int(here) for port, here in request["host_ports"]}
        self._network.host_ports.allow(ports)
        if request["allowed"]:
            self._network.way_out.open(then, ports)
        else:
            self._network.way_out.shut()
            then("")

    def _publish(self, request: Request) -> None:
        port = bound((HOST, request["host_port"]))
        try:
            self._network.publish(request["service"], port, request["address"], request["target"])
        except (OSError, ValueError):
            port.close()
            raise

    def _stand_in(self, request: Request) -> None:
        where = request["address"], request["target"], request["host_port"]
        self._network.stand_in(request["name"], *where)

    def _change_fault(self, request: Request) -> None:
        values = dict(request["values"])
        if "pace" in values:
            values["pace"] = Pace(**values["pace"])
        self._network.faults.change(request["one"], request["other"], **values)

    def _fail(self, request: Request, error: Exception) -> None:
        number = error.errno if isinstance(error, OSError) else None
        text = str(error.strerror or error) if isinstance(error, OSError) else str(error)
        self._send({"id": request["id"], "error": text, "errno": number})

    def _send(self, message: Mapping[str, object], handles: Sequence[int] = ()) -> None:
        copies = [os.dup(handle) for handle in handles]  # it may be closed until it can be sent
        self._unsent.append((json.dumps(message).encode(), copies))
        self._send_rest()

    def _send_rest(self) -> None:
        while self._unsent:
            data, handles = self._unsent[0]
            try:
                socket.send_fds(self._link, [data], handles)
            except BlockingIOError:
                self._loop.change(self._link.fileno(), READ | WRITE)
                return
            except OSError:
                return  # the supervisor has gone, which is seen next
            self._unsent.popleft()
            for handle in handles:
                os.close(handle)
        self._loop.change(self._link.fileno(), READ)
