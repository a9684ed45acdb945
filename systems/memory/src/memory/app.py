"""The server over streamable HTTP, with a health check."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import to_thread
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from memory import conversations
from memory.refusals import ToolFailedError
from memory.server import make_server
from memory.service import Service
from memory.settings import read_settings


def make_app() -> Starlette:
    """The ASGI application of a process that starts."""
    logging.basicConfig(level="INFO", format="%(levelname)s %(name)s: %(message)s")
    for chatty in ("httpx", "httpx2", "google_genai.models", "mcp.server.lowlevel.server"):
        logging.getLogger(chatty).setLevel("WARNING")
    service = Service(
        read_settings(os.environ, f"{socket.gethostname()}-{os.getpid()}-{os.urandom(4).hex()}")
    )

    async def health(_: Request) -> JSONResponse:
        try:
            found = await to_thread.run_sync(conversations.listed, service.database)
        except ToolFailedError as failure:
            return JSONResponse({"status": "unavailable", **failure.told()}, 503)
        return JSONResponse({"status": "ok", "sessions": len(found)})

    app = make_server(service).streamable_http_app(
        streamable_http_path="/mcp/",
        stateless_http=True,
        json_response=True,
        # Clients reach the server by many names; a reverse proxy checks them where it matters.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        custom_starlette_routes=[Route("/health", health)],
    )
    serve_mcp = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(application: Starlette) -> AsyncIterator[None]:
        async with serve_mcp(application):
            service.start()
            yield
            service.stop()

    app.router.lifespan_context = lifespan
    return app
