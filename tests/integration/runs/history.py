"""What a run may go through, as the API, the event streams and the table of events tell it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackproof.oracle import Source, StateMachine

RUN = StateMachine(
    name="run",
    initial=["queued"],
    transitions={
        "queued": ["running"],
        "running": ["retry_scheduled", "attempt_lost", "completed", "failed"],
        "retry_scheduled": ["running"],
        "attempt_lost": ["running", "failed"],  # told by events only
    },
    terminal=["completed", "failed"],
    monotonic=["attempts", "done"],
    final=["attempts", "done", "score"],
)

STATE_AFTER = {
    "run.queued": "queued",
    "run.started": "running",
    "run.retry_scheduled": "retry_scheduled",
    "run.attempt_lost": "attempt_lost",
    "run.completed": "completed",
    "run.failed": "failed",
    "item.scored": None,
}


def note_run(source: Source, run: Mapping[str, Any]) -> None:
    """Note a run as the API tells it."""
    fields = {"attempts": run["attempts"], "done": run["totals"]["done"], "score": run["score"]}
    source.saw(run["state"], **fields)


def note_event(source: Source, seq: int, kind: str, payload: Mapping[str, Any]) -> None:
    """Note an event, from a stream or from the table of events."""
    progress = payload.get("progress")
    fields = {"done": progress["done"]} if progress else {}
    source.saw(STATE_AFTER.get(kind, kind), order=seq, **fields)
