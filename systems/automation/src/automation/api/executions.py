"""Executions, what led to them, and the questions that they ask."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from automation.api.replies import body_of, data, number_of, refusal, shown, user_id, wanted
from automation.cancelling import cancel
from automation.database import transaction
from automation.inquiries import NotAssignedError, UnfitError, check, respond
from automation.models import Action, Enforcement, Event, Execution, Inquiry
from automation.records import NotAllowedError, add_execution

OBJECT = {"type": "object"}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
REQUEST = wanted(
    {"action_ref": {"type": "string"}},
    parameters=OBJECT,
    env_vars=TEXTS,
    max_retries={"type": "integer", "minimum": 0, "maximum": 20},
)
KINDS = {
    "executions": Execution,
    "enforcements": Enforcement,
    "events": Event,
    "inquiries": Inquiry,
}
MOST = 1000


async def execute(request: Request) -> Response:
    user = user_id(request)
    told = await body_of(request, REQUEST)
    async with transaction() as session:
        action = await session.get(Action, told["action_ref"])
        if action is None:
            raise refusal(404, f"there is no action {told['action_ref']}")
        parameters = told.get("parameters", {})
        try:
            check(parameters, action.schema)
        except UnfitError as error:
            raise refusal(422, f"parameters: {error}") from error
        execution = Execution(
            action_ref=action.ref,
            parameters=parameters,
            env_vars=told.get("env_vars", {}),
            user_id=user,
            max_retries=told.get("max_retries", action.max_retries),
        )
        await add_execution(session, execution)
    return data(shown(execution), 201)


async def list_some(table: Any, request: Request) -> Response:
    """Rows in the order of their making; each query parameter names a column and its value."""
    user_id(request)
    query = select(table).order_by(table.id).limit(MOST)
    for name, value in request.query_params.items():
        column = table.__table__.columns.get(name)
        if column is None:
            raise refusal(422, f"there is no {name} to filter by")
        try:
            query = query.where(column == column.type.python_type(value))
        except (ValueError, TypeError) as error:
            raise refusal(422, f"{name}: {error}") from error
    async with transaction() as session:
        return data([shown(row) for row in (await session.scalars(query)).all()])


async def show(table: Any, request: Request) -> Response:
    user_id(request)
    async with transaction() as session:
        row = await session.get(table, number_of(request))
    if row is None:
        raise refusal(404, f"there is no {table.__name__.lower()} {number_of(request)}")
    return data(shown(row))


async def cancel_one(request: Request) -> Response:
    user_id(request)
    try:
        async with transaction() as session:
            execution = await cancel(session, number_of(request))
    except NotAllowedError as error:
        raise refusal(409, str(error)) from error
    if execution is None:
        raise refusal(404, f"there is no execution {number_of(request)}")
    return data(shown(execution))


async def answer(request: Request) -> Response:
    user = user_id(request)
    told = await body_of(request, wanted({"response": OBJECT}))
    try:
        async with transaction() as session:
            inquiry = await respond(session, number_of(request), user, told["response"])
    except NotAssignedError as error:
        raise refusal(403, str(error)) from error
    except NotAllowedError as error:
        raise refusal(409, str(error)) from error
    except UnfitError as error:
        raise refusal(422, f"response: {error}") from error
    if inquiry is None:
        raise refusal(404, f"there is no inquiry {number_of(request)}")
    return data(shown(inquiry))


ROUTES = [
    Route("/api/v1/executions/execute", execute, methods=["POST"]),
    Route("/api/v1/executions/{id:int}/cancel", cancel_one, methods=["POST"]),
    Route("/api/v1/inquiries/{id:int}/respond", answer, methods=["POST"]),
    *(
        Route(f"/api/v1/{kind}", partial(list_some, table), methods=["GET"])
        for kind, table in KINDS.items()
    ),
    *(
        Route(f"/api/v1/{kind}/{{id:int}}", partial(show, table), methods=["GET"])
        for kind, table in KINDS.items()
    ),
]
