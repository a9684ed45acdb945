"""Whether the service can do its work: is the database there, and the queue?"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import redis
from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy import text

from runs.database import engine
from runs.settings import settings

router = APIRouter(tags=["health"])


@router.get("/health")
def health() -> JSONResponse:
    """200 if everything that the API needs is there, else 503; says what is missing."""
    found = {"database": _ask(_ask_database), "redis": _ask(_ask_redis)}
    is_well = all(answer == "ok" for answer in found.values())
    return JSONResponse(
        {"status": "ok" if is_well else "unavailable", **found}, status_code=200 if is_well else 503
    )


def _ask(question: Callable[[], None]) -> str:
    try:
        question()
    except Exception as error:  # noqa: BLE001 - whatever is wrong is the answer
        return type(error).__name__
    return "ok"


def _ask_database() -> None:
    with engine().connect() as connection:
        connection.execute(text("SELECT 1"))


def _ask_redis() -> None:
    _redis().ping()


@cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings().redis_url, socket_timeout=2, socket_connect_timeout=2)
