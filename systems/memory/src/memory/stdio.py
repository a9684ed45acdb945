"""The server over standard input and output: `python -m memory.stdio`."""

from __future__ import annotations

import logging
import os
import socket
import sys

import anyio
from mcp.server.stdio import stdio_server

from memory.server import make_server
from memory.service import Service
from memory.settings import SettingsError, read_settings


async def serve() -> None:
    """Serve the client at the other end until it closes the connection."""
    name = f"{socket.gethostname()}-{os.getpid()}-{os.urandom(4).hex()}"
    service = Service(read_settings(os.environ, name))
    server = make_server(service)
    service.start()
    async with stdio_server() as (received, sent):
        await server.run(received, sent, server.create_initialization_options())
    service.stop()


if __name__ == "__main__":
    logging.basicConfig(level="INFO", format="%(levelname)s %(name)s: %(message)s")
    try:
        anyio.run(serve)
    except SettingsError as error:
        sys.exit(f"memory: {error}")
