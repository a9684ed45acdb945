"""Ports of this machine that lead to containers without a route to the outside.

Docker publishes no port of an internal network, so a listener here passes the bytes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

HOST = "127.0.0.1"
"""Nothing of a run is reached from other machines."""

FILE = "relays.json"
"""In the run folder: a list of port, container id, container port."""

CHUNK = 64 * 1024

Passer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Relays:
    """The listeners of one run.

    Args:
        file: What to listen on, and where that leads.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._servers: dict[int, asyncio.Server] = {}
        self._targets: dict[int, tuple[str, int]] = {}

    async def load(self) -> None:
        """Read the file again, and listen on what is new."""
        for port, container, target in json.loads(self.file.read_text(encoding="utf-8")):
            self._targets[port] = (container, target)
            if port not in self._servers:
                self._servers[port] = await asyncio.start_server(self._passer(port), HOST, port)

    def close(self) -> None:
        """Stop listening."""
        for server in self._servers.values():
            server.close()

    def _passer(self, port: int) -> Passer:
        async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            container, target = self._targets[port]
            try:
                address = await asyncio.to_thread(address_of, container)
                there, back = await asyncio.open_connection(address, target)
            except OSError:
                writer.close()
                return
            await asyncio.gather(_pump(reader, back), _pump(there, writer))

        return pass_on


def address_of(container: str) -> str:
    """A container's address in its network, which changes when it is started again.

    Raises:
        OSError: If it has none.
    """
    from docker.errors import DockerException

    from stackproof.engines.compose.connection import connect

    try:
        found = connect(os.environ).api.inspect_container(container)
    except DockerException as error:
        raise OSError(str(error)) from None
    for network in found["NetworkSettings"]["Networks"].values():
        if network.get("IPAddress"):
            return str(network["IPAddress"])
    raise OSError("it has no address")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()
