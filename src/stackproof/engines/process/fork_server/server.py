"""The fork server: has imported what a service needs, and forks its copies into their rooms.

Started with the service's own interpreter by whoever starts stacks, and ends with it: the link to
it closes then, whatever has ended it. Supervisors of stacks connect to it; each copy becomes a
child of the supervisor, which is the first process of its PID namespace, once the process between
them has ended.
Sources: pid_namespaces(7), setns(2); kernel/exit.c, find_new_reaper.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from stackproof.engines.process.fork_server.beginning import begin
from stackproof.engines.process.fork_server.order import Order, receive, send
from stackproof.engines.process.fork_server.preloading import (
    BY_LIBRARIES,
    OF_EACH_COPY,
    Preloaded,
    preload,
)
from stackproof.engines.process.fork_server.recording import Notes
from stackproof.engines.process.limits import join_groups
from stackproof.engines.process.world.rooms import Room
from stackproof.reaper import kernel

PATIENCE = 10.0
"""Seconds that a connection may take to say what it wants."""

IDLE = 600.0
"""Seconds without a start after which it ends."""

UNKNOWN = 127
"""Exit status of a copy that nobody was told of."""

_CREDENTIALS = struct.Struct("3i")

_USER, _PROCESSES = 0, 1
_FIRST_OF_ROOM = 2


class ForkServer:
    """Serves until its owner has gone.

    Args:
        owner: Link to whoever has started it.
        listener: Where supervisors connect.
        search: `sys.path` without what the start of this program has put there.
    """

    def __init__(
        self, owner: socket.socket, listener: socket.socket, search: Sequence[str]
    ) -> None:
        self._owner = owner
        self._listener = listener
        self._search = search
        self._environment = dict(os.environ)
        self._token = ""
        self._notes = Notes()
        self._recording = True
        self._preloaded = Preloaded()

    def serve(self) -> None:
        """Import ahead what the owner says, then fork until it has gone."""
        with contextlib.suppress(OSError):
            told, _ = receive(self._owner)
            self._token = str(told["token"])
            self._preloaded = preload(told["modules"])
            send(self._owner, {"ready": True, "faults": self._preloaded.faults})
            self._fork_until_it_is_gone()

    def _fork_until_it_is_gone(self) -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those in between
        while ready := select.select([self._owner, self._listener], [], [], IDLE)[0]:
            if self._owner in ready:
                receive(self._owner)  # there is one question
                send(self._owner, {"modules": self._notes.names()})
            if self._listener in ready:
                link, _ = self._listener.accept()
                with link:
                    self._answer(link)

    def _answer(self, link: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError, KeyError):
            link.settimeout(PATIENCE)
            if _user_of(link) != os.getuid():  # who else could keep it from answering
                return
            value, handles = receive(link)
            try:
                if not hmac.compare_digest(str(value["token"]), self._token):
                    return
                if "failed" in value:
                    send(self._owner, {"failed": str(value["failed"])})
                else:
                    self._fork(link, value, handles)
            finally:
                for handle in handles:
                    os.close(handle)

    def _fork(self, link: socket.socket, value: dict[str, Any], handles: list[int]) -> None:
        recording, self._recording = self._recording, False
        if os.fork() == 0:
            self._in_between(link, value, handles, recording=recording)

    def _in_between(
        self, link: socket.socket, value: dict[str, Any], handles: list[int], *, recording: bool
    ) -> NoReturn:
        """Join the namespaces of the supervisor, and fork the one that forks into the room."""
        try:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            order = Order.from_json(value["order"])
            _refuse_another_environment(self._preloaded, _changed(self._environment, order.env))
            kernel.join(handles[_USER], kernel.CLONE_NEWUSER)
            kernel.join(handles[_PROCESSES], kernel.CLONE_NEWPID)
            child = os.fork()
            if child == 0:
                self._fork_into_the_room(link, order, handles[_FIRST_OF_ROOM:], recording=recording)
            os.waitpid(child, 0)
        except BaseException as error:  # noqa: BLE001 - told to the supervisor
            with contextlib.suppress(OSError):
                send(link, {"refused": str(error) or repr(error)})
        finally:
            os._exit(0)

    def _fork_into_the_room(
        self, link: socket.socket, order: Order, handles: list[int], *, recording: bool
    ) -> NoReturn:
        streams, saying, kept = handles[:3], handles[3], handles[4:]
        room = Room.of_handles(order.room, kept)

        told, telling = os.pipe()

        def before() -> None:
            os.close(telling)
            link.close()
            if not os.read(told, 1):  # the supervisor does not know of it, and starts another
                os._exit(UNKNOWN)
            os.close(told)
            join_groups(order.groups)

        def work() -> None:
            begin(order, self._search, self._notes if recording else None)

        program = replace(
            room.program((), {}, order.cwd, (streams[0], streams[1], streams[2]), order.uid),
            work=work,
        )
        pid = room.fork(program, saying, before=before)
        send(link, {"pid": pid})
        os.write(telling, b"1")
        os._exit(0)


def _user_of(link: socket.socket) -> int:
    """The user whose process has connected; source: unix(7), SO_PEERCRED."""
    told = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(told)[1])


def _changed(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Variables in which two environments differ, but for those that always differ."""
    names = one.keys() | other.keys()
    return sorted(
        name for name in names if one.get(name) != other.get(name) and name not in OF_EACH_COPY
    )


def _refuse_another_environment(preloaded: Preloaded, changed: Sequence[str]) -> None:
    """Refuse a copy that would not be the same as a new process, since its variables differ."""
    told = [
        f"{module} reads {', '.join(names)}" for module, names in preloaded.readers(changed).items()
    ]
    told += [f"a library may have read {name}" for name in changed if name.startswith(BY_LIBRARIES)]
    if told:
        raise ValueError(f"its environment is another one: {'; '.join(told)}")


def main() -> None:
    """Serve on the handles that the command line names; more of it is room for other words."""
    os.environ.pop("STACKPROOF_PADDING", None)
    source, *numbers = sys.argv[1:4]
    owner, listener = (socket.socket(fileno=int(number)) for number in numbers)
    sys.path[:] = search = [path for path in sys.path if path not in {"", source}]
    ForkServer(owner, listener, search).serve()
