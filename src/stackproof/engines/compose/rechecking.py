"""Containers that Docker has started again by itself: asked whether they are ready by who looks."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from stackproof.engines.compose.begun import SETTLE_SECONDS, BegunService
from stackproof.engines.compose.containers import Containers, split_stamp
from stackproof.engines.compose.notes import Notes
from stackproof.plan.model import ServicePlan
from stackproof.readiness.asking import ask
from stackproof_redaction import Redactor

LONGEST_ANSWER = 2.0
"""Seconds that a look may take; who waits for a service looks again."""


def note_ready(
    services: Sequence[ServicePlan],
    containers: Containers,
    notes: Notes,
    found: Mapping[str, Mapping[str, Any]],
    redactor: Redactor,
) -> None:
    """Ask each service once that runs and was not seen ready since its start, and note who is.

    Args:
        services: The services of the plan.
        containers: The run's containers.
        notes: Where it is noted.
        found: What inspecting the containers gave.
        redactor: Masks secrets.
    """
    unsure = [
        BegunService(service, containers, redactor)
        for service in services
        if service.name in found and _is_unsure(service, found[service.name], notes)
    ]
    if not unsure:
        return

    def look(service: BegunService) -> float | None:
        return asyncio.run(_seconds_to_ready(service, found[service.plan.name]))

    with ThreadPoolExecutor(len(unsure)) as pool:  # the caller may have an event loop of its own
        for service, seconds in zip(unsure, pool.map(look, unsure), strict=True):
            if seconds is not None:
                name = service.plan.name
                notes.ready(name, found[name]["State"]["StartedAt"], seconds)


def _is_unsure(service: ServicePlan, found: Mapping[str, Any], notes: Notes) -> bool:
    state = found["State"]
    return (
        state["Status"] == "running"
        and not service.one_shot
        and notes.seconds_to_ready(service.name, state["StartedAt"]) is None
    )


async def _seconds_to_ready(service: BegunService, found: Mapping[str, Any]) -> float | None:
    """The seconds since its start if it is ready; None if it is not, or Docker is to say so."""
    if service.is_asked_by_docker(found):
        return None
    probe, started_at = service.plan.probe, found["State"]["StartedAt"]
    alive = time.time() - _moment(started_at)
    if probe is None:
        return 0.0 if alive >= SETTLE_SECONDS else None

    def has_written(pattern: str) -> bool:
        lines = service.containers.lines(
            service.plan.name, service.redactor, since=_moment(started_at)
        )
        since = split_stamp(started_at)[0]
        return any(re.search(pattern, line.text) for line in lines if line.at >= since)

    around = service.surroundings(has_written, lambda: alive)
    try:
        async with asyncio.timeout(LONGEST_ANSWER):
            answer = await ask(probe, around)
    except TimeoutError:
        return None
    return None if answer else alive


def _moment(stamp: str) -> float:
    return datetime.fromisoformat(split_stamp(stamp)[0]).timestamp()
