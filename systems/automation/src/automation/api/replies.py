"""How requests are read and answers written."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from sqlalchemy import inspect
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from automation.inquiries import UnfitError, check
from automation.models import Base
from automation.security import user_of

Handler = Callable[[Request], Awaitable[Response]]
HIDDEN = {"content", "encrypted", "password_hash", "worker_session", "turn", "settled"}


def data(value: Any, status: int = 200) -> JSONResponse:
    """An answer in its envelope."""
    return JSONResponse({"data": value}, status)


def refusal(status: int, message: str) -> HTTPException:
    """An error in its envelope, to be raised."""
    return HTTPException(status, message)


async def on_refusal(_: Request, error: Exception) -> Response:
    """The answer to a refused request."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": {"message": error.detail}}, error.status_code)


def shown(row: Base) -> dict[str, Any]:
    """A row as it is told; no secret, and nothing that only the services need."""
    loaded = inspect(row).dict
    told = {column.key: loaded.get(column.key) for column in row.__table__.columns}
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in told.items()
        if name not in HIDDEN
    }


async def body_of(request: Request, schema: dict[str, Any]) -> dict[str, Any]:
    """The JSON object of a request, which fits a schema."""
    try:
        told: dict[str, Any] = json.loads(await request.body())
        check(told, schema)
    except (ValueError, UnfitError) as error:
        raise refusal(422, str(error)) from error
    return told


def wanted(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """The schema of an object with these members and no other."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def user_id(request: Request) -> int:
    """Who asks."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    user = user_of(token) if kind.lower() == "bearer" else None
    if user is None:
        raise refusal(401, "no valid bearer token")
    return user


def number_of(request: Request) -> int:
    """The id in the path."""
    return int(request.path_params["id"])
