"""The ASGI application: the MCP endpoint, health, downloads, event streams, and the sweeper."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio import to_thread
from mcp.server.transport_security import TransportSecuritySettings
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from plans import execution
from plans.database import sessions
from plans.server.downloads import download
from plans.server.stream import stream
from plans.server.tools import mcp
from plans.settings import settings

SWEEP_SECONDS = 1.0

log = logging.getLogger(__name__)


def healthcheck(_: Request) -> JSONResponse:
    """Whether the server and its database answer."""
    try:
        with sessions().begin() as session:
            session.execute(text("SELECT 1"))
    except DBAPIError as error:
        return JSONResponse({"status": "unavailable", "database": str(error.orig)}, 503)
    return JSONResponse({"status": "ok"})


def _sweep() -> None:
    try:
        with sessions().begin() as session:
            execution.sweep(session)
    except DBAPIError as error:  # away, or not migrated yet
        log.debug("nothing swept: %s", error.orig)


async def _keep_sweeping() -> None:
    while True:
        await to_thread.run_sync(_sweep)
        await anyio.sleep(SWEEP_SECONDS)


def _make() -> Starlette:
    logging.basicConfig(level=settings().log_level, format="%(levelname)s %(name)s: %(message)s")
    made = mcp.streamable_http_app(
        streamable_http_path="/mcp/",
        stateless_http=True,
        json_response=True,
        # Clients reach the server by many names; a reverse proxy checks them where it matters.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    made.router.routes += [
        Route("/healthcheck", healthcheck),
        Route("/download/{plan_id:uuid}/{file}", download),
        Route("/sse/plan/{plan_id:uuid}", stream),
    ]
    serve_mcp = made.router.lifespan_context

    @asynccontextmanager
    async def lifespan(application: Starlette) -> AsyncIterator[None]:
        async with serve_mcp(application), anyio.create_task_group() as tasks:
            tasks.start_soon(_keep_sweeping)
            yield
            tasks.cancel_scope.cancel()

    made.router.lifespan_context = lifespan
    return made


app = _make()
