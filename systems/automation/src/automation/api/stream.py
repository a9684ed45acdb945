"""`/executions/stream`: each change of an execution as a server-sent event."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from automation.api.replies import user_id
from automation.database import patiently
from automation.watching import after, last_position

PAUSE = 0.2
QUIET_FOR = 15.0
"""Seconds without an event after which a comment says that the stream lives."""


async def stream(request: Request) -> StreamingResponse:
    """Events from now on, or from after the `Last-Event-ID` of a client that comes back."""
    user_id(request)
    position = request.headers.get("last-event-id", "")
    start = int(position) if position.isdecimal() else await patiently(last_position)
    return StreamingResponse(_events(start), media_type="text/event-stream")


async def _events(position: int) -> AsyncIterator[str]:
    yield ": welcome\n\n"
    quiet = 0.0
    while True:
        found = await patiently(after, position)
        for told in found:
            position = told["position"]
            if told["entity_type"] == "execution":
                quiet = 0.0
                kind = told["notification_type"]
                yield f"id: {position}\nevent: {kind}\ndata: {json.dumps(told)}\n\n"
        await asyncio.sleep(PAUSE)
        quiet += PAUSE
        if quiet >= QUIET_FOR:
            quiet = 0.0
            yield ": alive\n\n"


ROUTES = [Route("/api/v1/executions/stream", stream)]
