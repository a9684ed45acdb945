"""What a supervisor asks of a fork server: one program in one room, with its handles.

One JSON object with its length in front, and the handles as SCM_RIGHTS with its first byte.
Source: unix(7).
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stackproof.engines.process.world.spec import RoomSpec

_LENGTH = struct.Struct("!I")
_MOST_HANDLES = 16


@dataclass(frozen=True)
class Order:
    """A program that is to begin in a room.

    Attributes:
        argv: The command as the service has it; `/proc/PID/cmdline` shows it.
        script: Path of the Python file that it runs; empty for a module.
        module: Module that it runs, as `python -m` does.
        arguments: What follows the script or the module.
        env: The whole environment.
        cwd: Folder of the room to start in.
        uid: Numeric user and group; None for the room's.
        groups: Files of control groups that the new process writes itself to.
        room: The room.
    """

    argv: tuple[str, ...]
    script: str
    module: str
    arguments: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    uid: int | None
    groups: tuple[str, ...]
    room: RoomSpec

    def to_json(self) -> dict[str, Any]:
        """The order as plain JSON values."""
        return {**asdict(self), "room": self.room.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Order:
        """Read back what `to_json` gave."""
        lists = {name: tuple(value[name]) for name in ("argv", "arguments", "groups")}
        return cls(**{**value, **lists, "room": RoomSpec.from_json(value["room"])})


def send(link: socket.socket, value: Mapping[str, Any], handles: Sequence[int] = ()) -> None:
    """Send a JSON object with handles.

    Raises:
        OSError: If the other side has gone.
    """
    text = json.dumps(value).encode()
    message = _LENGTH.pack(len(text)) + text
    sent = socket.send_fds(link, [message], list(handles)) if handles else 0
    if sent < len(message):  # to send nothing fails as well, where the other side has ended
        link.sendall(message[sent:])


def receive(link: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Receive a JSON object with its handles, which are not inherited.

    Raises:
        OSError: If the other side has gone before it was complete.
    """
    data, handles = b"", []
    wanted = _LENGTH.size
    while len(data) < wanted:
        part, found, _, _ = socket.recv_fds(link, wanted - len(data), _MOST_HANDLES)
        handles += found
        if not part:
            raise ConnectionResetError("the other side has gone")
        data += part
        if len(data) == _LENGTH.size == wanted:
            wanted += _LENGTH.unpack(data)[0]
    for handle in handles:
        os.set_inheritable(handle, False)  # noqa: FBT003 - the standard library's signature
    value: dict[str, Any] = json.loads(data[_LENGTH.size :])
    return value, handles
