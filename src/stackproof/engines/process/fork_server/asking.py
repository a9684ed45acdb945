"""The supervisor's side: has a fork server begin a program in a room.

Source: unix(7), SCM_RIGHTS.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Any

from stackproof.engines.process.fork_server.order import Order, receive, send
from stackproof.engines.process.world.rooms import Room

SECONDS = 10.0
"""How long a fork may take; it takes milliseconds on a machine that is not busy."""


class ColdError(OSError):
    """A fork server that does not start a program; a new interpreter has to."""


def fork_by(address: str, room: Room, order: Order, streams: tuple[int, int, int]) -> int:
    """Start a program in a room as a copy of a fork server; the caller is PID 1 of its namespace.

    Args:
        address: As `Kept.address`.
        room: A room that has been built.
        order: The program.
        streams: File descriptors of its input, output and error output.

    Returns:
        Its number; it is a child of the caller by the time that the caller can wait for it.

    Raises:
        ColdError: If there is no such server any more, it refuses or does not answer in time.
        OSError: As `Room.spawn` raises it.
    """
    return room.start_by(lambda saying: _fork(address, room, order, (*streams, saying)))


def _answer(link: socket.socket) -> Mapping[str, Any]:
    """What the server says in time; later it can't say anything, and then no program begins."""
    with suppress(TimeoutError):
        return receive(link)[0]
    link.shutdown(socket.SHUT_RD)
    with suppress(ConnectionResetError):
        return receive(link)[0]  # what had arrived before that
    raise ColdError(f"its fork server has not answered in {SECONDS:g} s")


def tell_failure(address: str, reason: str) -> None:
    """Tell a fork server that a copy has failed where a new process became ready.

    Args:
        address: As `Kept.address`.
        reason: How the copy failed.
    """
    name, _, token = address.partition(":")
    with suppress(OSError), socket.socket(socket.AF_UNIX) as link:
        link.settimeout(1.0)
        link.connect(f"\0{name}")
        send(link, {"token": token, "failed": reason})


def _fork(address: str, room: Room, order: Order, handles: tuple[int, ...]) -> int:
    name, _, token = address.partition(":")
    with ExitStack() as opened:
        link = opened.enter_context(socket.socket(socket.AF_UNIX))
        link.settimeout(SECONDS)
        try:
            link.connect(f"\0{name}")
            own = [os.open(f"/proc/self/ns/{name}", os.O_RDONLY) for name in ("user", "pid")]
            for handle in own:
                opened.callback(os.close, handle)
            send(link, {"token": token, "order": order.to_json()}, (*own, *handles, *room.handles))
        except OSError as error:
            raise ColdError(f"no fork server answers: {error}") from error
        try:
            answer = _answer(link)
            link.recv(1)  # nothing: those between the server and the program have ended
        except ColdError:
            raise
        except OSError as error:
            raise ColdError(f"no fork server answers: {error}") from error
    if "refused" in answer:
        raise ColdError(str(answer["refused"]))
    return int(answer["pid"])
