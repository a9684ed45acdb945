"""What has happened to the containers of a run, from Docker's events and its last word on each.

Docker keeps 256 events of the whole machine (`eventsLimit` in moby's daemon/events), and checks of
health use them up; so a container's last start and end are taken from inspecting it as well.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from stackproof.engines.compose.containers import Containers, how_it_ended, last_check, split_stamp
from stackproof.engines.compose.labels import SERVICE, of_run
from stackproof.engines.events import Kind, ServiceEvent
from stackproof.engines.timestamps import timestamp

KINDS: Mapping[str, Kind] = {
    "die": "ended", "start": "started", "pause": "paused", "unpause": "unpaused",
    "health_status: healthy": "healthy", "health_status: unhealthy": "unhealthy",
}  # fmt: skip
"""Docker's actions that tell something of a service."""

SAME = 1.0
"""Seconds between an event and the time of the same end or start in the container's state."""


def history_of(containers: Containers, since: str) -> tuple[ServiceEvent, ...]:
    """What has happened to containers since a moment, oldest first.

    Args:
        containers: Those of the run.
        since: The moment (wall clock, ISO 8601, UTC).
    """
    states = containers.inspect_all()
    told = list(_told(containers, since, states))
    for service, found in states.items():
        for event in _last(service, found):
            if event.at >= since and not any(_is_same(event, other) for other in told):
                told.append(event)
    return tuple(sorted(told, key=lambda event: event.at))


def _told(containers: Containers, since: str, states: Mapping[str, Any]) -> Iterator[ServiceEvent]:
    window: Any = {"since": f"{_seconds(since):.6f}", "until": f"{time.time():.6f}"}
    filters = {**of_run(containers.run_id), "type": "container"}
    for event in containers.client.api.events(**window, filters=filters, decode=True):
        attributes = event.get("Actor", {}).get("Attributes", {})
        service, kind = attributes.get(SERVICE, ""), KINDS.get(str(event.get("Action", "")))
        if service and kind is not None:
            detail = _detail(kind, attributes, states.get(service))
            yield ServiceEvent(timestamp(event["timeNano"] / 1e9), service, kind, detail)


def _detail(kind: Kind, attributes: Mapping[str, Any], found: Mapping[str, Any] | None) -> str:
    if kind == "ended":
        state = {"ExitCode": attributes.get("exitCode") or 0}
        return how_it_ended({"State": state, "HostConfig": {}})
    return last_check(found["State"]) if kind == "unhealthy" and found is not None else ""


def _last(service: str, found: Mapping[str, Any]) -> Iterator[ServiceEvent]:
    """The last start and end of a container, as inspecting it tells them."""
    state = found["State"]
    yield ServiceEvent(_moment(state["StartedAt"]), service, "started")
    if state["Status"] in {"exited", "dead", "restarting"}:
        yield ServiceEvent(_moment(state["FinishedAt"]), service, "ended", how_it_ended(found))


def _moment(text: str) -> str:
    return split_stamp(text)[0]


def _is_same(event: ServiceEvent, other: ServiceEvent) -> bool:
    is_alike = (event.service, event.kind) == (other.service, other.kind)
    return is_alike and abs(_seconds(event.at) - _seconds(other.at)) < SAME


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
