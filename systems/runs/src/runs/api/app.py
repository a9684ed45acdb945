"""The application: routes, and what every route answers when a neighbour is away."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import InterfaceError, OperationalError

from runs.api import catalog, evaluations, events, health
from runs.settings import settings

logging.basicConfig(level=settings().log_level, format="%(levelname)s %(name)s: %(message)s")
log = logging.getLogger(__name__)

app = FastAPI(title="Runs", version="0.4.0", summary="Evaluates language models against datasets.")
for routes in (health.router, catalog.router, evaluations.router, events.router):
    app.include_router(routes)


@app.exception_handler(OperationalError)
@app.exception_handler(InterfaceError)
def database_is_away(_: Request, error: OperationalError | InterfaceError) -> JSONResponse:
    """The client may come back later; it did nothing wrong."""
    log.error("database is away: %s", error.orig)
    return JSONResponse(
        {"detail": "the database is not available"}, status_code=503, headers={"Retry-After": "1"}
    )
