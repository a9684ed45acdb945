"""`/health` of the services that speak HTTP."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from automation.database import transaction
from automation.settings import settings


async def health(_: Request) -> Response:
    """Whether the service and its database answer."""
    try:
        async with transaction() as session:
            await session.execute(text("SELECT 1"))
    except DBAPIError as error:
        return JSONResponse({"status": "unavailable", "database": str(error.orig)}, 503)
    return JSONResponse({"status": "ok", "environment": settings().environment})
