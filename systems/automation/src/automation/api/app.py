"""The ASGI application of the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from automation.api import accounts, catalogue, executions, stream
from automation.api.replies import on_refusal
from automation.database import engine
from automation.health import health
from automation.outbox import Relay
from automation.service import set_up_log


async def on_lost_database(_: Request, error: Exception) -> Response:
    """The answer while the database is away: the client may ask again."""
    assert isinstance(error, DBAPIError)
    return JSONResponse({"error": {"message": f"the database is away: {error.orig}"}}, 503)


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Relay what requests leave for the broker."""
    relay = asyncio.create_task(Relay().run())
    yield
    relay.cancel()
    await asyncio.gather(relay, return_exceptions=True)
    await engine().dispose()


set_up_log()
app = Starlette(
    routes=[
        Route("/health", health),
        *stream.ROUTES,
        *accounts.ROUTES,
        *catalogue.ROUTES,
        *executions.ROUTES,
    ],
    exception_handlers={HTTPException: on_refusal, DBAPIError: on_lost_database},
    lifespan=lifespan,
)
