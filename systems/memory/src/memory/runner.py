"""A command-line agent that is driven over HTTP: each client starts an MCP server as its child.

Clients of one home share its memory. A child that ends is started again.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.abc
import mcp_types as types
from mcp import StdioServerParameters
from mcp.client import Client
from mcp.client.stdio import stdio_client
from mcp.shared.exceptions import MCPError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

PING_SECONDS = 0.3
PING_TIMEOUT = 30.0
START_TIMEOUT = 180.0
log = logging.getLogger(__name__)


@dataclass
class Child:
    """An MCP server that runs as a child.

    Attributes:
        home: Its home.
        starts: How often it was started.
        client: Speaks to it, while it runs.
    """

    home: Path
    starts: int = 0
    client: Client | None = None
    _up: anyio.Event = field(default_factory=anyio.Event)

    async def keep(self) -> None:
        """Run it, and start it again whenever it has ended."""
        while True:
            self.starts += 1
            try:
                await self._run()
            except* Exception as ended:  # noqa: BLE001 - killed, hanging, or broken: it is started again
                log.warning("the server of %s has ended: %r", self.home.name, ended.exceptions)
            if self.client is not None:  # else calls wait for the event that there is
                self.client, self._up = None, anyio.Event()
            await anyio.sleep(PING_SECONDS)

    async def running(self) -> Client:
        """What speaks to it, as soon as it runs."""
        with anyio.fail_after(START_TIMEOUT):
            while self.client is None:
                await self._up.wait()
        return self.client

    async def _run(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "HOME": str(self.home), "MEMORY_HOME": str(self.home)}
        server = StdioServerParameters(
            command=sys.executable, args=["-m", "memory.stdio"], env=environment
        )
        async with Client(stdio_client(server)) as client:
            self.client = client
            self._up.set()
            while True:
                with anyio.fail_after(PING_TIMEOUT):
                    await client.call_tool("list_models", {})
                await anyio.sleep(PING_SECONDS)


class Agent:
    """Clients by their homes and names.

    Args:
        folder: Where the homes are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: dict[tuple[str, str], Child] = {}
        self.tasks: anyio.abc.TaskGroup | None = None

    def child(self, home: str, name: str) -> Child:
        """The child of a client, which is started where there is none yet."""
        key = (home, name)
        if key not in self._children:
            assert self.tasks is not None, "the runner has not started"
            self._children[key] = Child(self._folder / home)
            self.tasks.start_soon(self._children[key].keep)
        return self._children[key]

    async def health(self, _: Request) -> JSONResponse:
        """Whether the first client's server answers."""
        child = self.child("first", "first")
        if child.client is None:
            return JSONResponse({"status": "starting", "starts": child.starts}, 503)
        return JSONResponse({"status": "ok", "starts": child.starts})

    async def call(self, request: Request) -> JSONResponse:
        """Call a tool: `POST /homes/HOME/clients/NAME/tools/TOOL` with its arguments."""
        path = request.path_params
        child = self.child(path["home"], path["client"])
        arguments = await request.json()
        try:
            client = await child.running()
            result = await client.call_tool(path["tool"], arguments)
        except MCPError as error:
            if error.code == types.CONNECTION_CLOSED:
                return _lost(error)
            return JSONResponse({"code": error.code, "message": error.message}, 400)
        except (OSError, TimeoutError, anyio.ClosedResourceError) as error:
            return _lost(error)
        return JSONResponse(
            {"is_error": result.is_error, "content": result.structured_content,
             "starts": child.starts}
        )  # fmt: skip


def _lost(error: Exception) -> JSONResponse:
    log.warning("a call was lost: %r", error)
    return JSONResponse({"code": 0, "message": f"the server has ended: {error!r}"}, 502)


def make_app() -> Starlette:
    """The ASGI application of a process that starts."""
    logging.basicConfig(level="INFO", format="%(levelname)s %(name)s: %(message)s")
    agent = Agent(Path(os.environ.get("RUNNER_HOMES") or "homes").absolute())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            agent.tasks = tasks
            agent.child("first", "first")
            yield
            tasks.cancel_scope.cancel()

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/health", agent.health),
            Route("/homes/{home}/clients/{client}/tools/{tool}", agent.call, methods=["POST"]),
        ],
    )
