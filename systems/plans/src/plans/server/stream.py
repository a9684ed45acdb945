"""The events of one plan, as server-sent events."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import anyio
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import StreamingResponse

from plans.database import AWAY, sessions
from plans.models import Plan, PlanState
from plans.server import answers
from plans.settings import settings

WATCHED = ("state", "progress_percentage")


def stream(request: Request) -> StreamingResponse:
    """The events of a plan until it has ended."""
    headers = {"Cache-Control": "no-cache"}
    return StreamingResponse(
        _events(request.path_params["plan_id"]), media_type="text/event-stream", headers=headers
    )


async def _events(plan_id: uuid.UUID) -> AsyncIterator[str]:
    told: dict[str, Any] | None = None
    quiet_since = time.monotonic()
    while True:
        try:
            now = await to_thread.run_sync(_look, plan_id)
        except AWAY:
            yield _event("error", {"code": "SERVICE_UNAVAILABLE", "message": "no database"})
            return
        if now is None:
            yield _event("error", {"code": "PLAN_NOT_FOUND", "message": f"no plan {plan_id}"})
            return
        if told is None or any(now[key] != told[key] for key in WATCHED):
            yield _event("status", now)
            told, quiet_since = now, time.monotonic()
            if PlanState(now["state"]).has_ended:
                yield _event("complete", now)
                return
        elif time.monotonic() - quiet_since > settings().heartbeat:
            yield _event("heartbeat", {"plan_id": str(plan_id)})
            quiet_since = time.monotonic()
        await anyio.sleep(settings().poll)


def _look(plan_id: uuid.UUID) -> dict[str, Any] | None:
    with sessions().begin() as session:
        plan = session.get(Plan, plan_id)
        if plan is None:
            return None
        return {
            "plan_id": str(plan.id),
            "state": plan.state,
            "progress_percentage": plan.progress_percentage,
            "elapsed_sec": answers.elapsed(session, plan),
        }


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
