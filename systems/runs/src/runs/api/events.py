"""The progress of a run as server-sent events.

Each event is a row of the audit trail, and its id is the row's number; so a client that was cut off
goes on where it was (`Last-Event-ID`), and two clients see the same. The stream ends after the
run's last event. To a client that has them all, 204 says not to come back (WHATWG HTML, 9.2).
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException, status
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy import select

from runs.api.sessions import RequestSession
from runs.database import AWAY, sessions
from runs.models import EventType, Run, RunEvent, RunState
from runs.settings import settings

router = APIRouter(prefix="/runs", tags=["runs"])
log = logging.getLogger(__name__)

LAST = {EventType.COMPLETED, EventType.FAILED}
BATCH = 500
LONGEST_ID = 9  # digits
RECONNECT_AFTER = 1000  # milliseconds


def _seen(
    run_id: uuid.UUID,
    session: RequestSession,
    last_event_id: Annotated[str | None, Header()] = None,
) -> int:
    """The number of the last event that the client has, 0 for none."""
    text = last_event_id or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_ID):
        raise HTTPException(
            status.HTTP_400_BAD_REQUEST, f"Last-Event-ID is {text!r}, not the id of an event"
        )
    run = session.get(Run, run_id)
    if run is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no run {run_id}")
    seen = int(text)
    is_over = RunState(run.state).is_terminal and seen >= run.last_seq
    session.close()
    if is_over:
        raise HTTPException(status.HTTP_204_NO_CONTENT)
    return seen


@router.get("/{run_id}/events", response_class=EventSourceResponse)
async def stream_events(
    run_id: uuid.UUID, seen: Annotated[int, Depends(_seen)]
) -> AsyncIterator[ServerSentEvent]:
    """Everything that has happened and will happen to a run."""
    yield ServerSentEvent(comment=f"events of run {run_id} after {seen}", retry=RECONNECT_AFTER)
    while True:
        for event in await run_in_threadpool(_after, run_id, seen):
            yield ServerSentEvent(id=str(event.seq), event=event.type, data=_content(event))
            seen = event.seq
            if event.type in LAST:
                return
        await asyncio.sleep(settings().event_poll)


def _content(event: RunEvent) -> dict[str, object]:
    return {**event.payload, "at": event.created_at.isoformat()}


def _after(run_id: uuid.UUID, seen: int) -> Sequence[RunEvent]:
    wanted = (
        select(RunEvent)
        .where(RunEvent.run_id == run_id, RunEvent.seq > seen)
        .order_by(RunEvent.seq)
        .limit(BATCH)
    )
    try:
        with sessions()() as session:
            return session.scalars(wanted).all()
    except AWAY as error:
        log.warning("stream of run %s waits for the database: %s", run_id, error.orig)
        return []
