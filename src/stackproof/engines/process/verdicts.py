"""Why a stack is not ready: which service blocks, as soon as that is clear, and what is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from stackproof.engines.process.service import Service
from stackproof.readiness.watching import HOPELESS_EXITS

SHOWN_LINES = 20


def snapshot(service: Service) -> dict[str, object]:
    """What is known of a service now, as plain values."""
    spec, log = service.spec, service.log
    return {
        "name": spec.name,
        **asdict(service.state),
        "start": service.warm.told,
        "ready": service.state.is_ready,
        "probe": "" if spec.probe is None else str(spec.probe),
        "notices": [*service.group.notices, *service.memory_folders.notices],
        "tail": log.last(SHOWN_LINES),
    }


def give_verdict(
    wanted: Sequence[Service], all_services: Mapping[str, Service]
) -> dict[str, object] | None:
    """The service that keeps others from becoming ready, if it is clear that it will not be.

    Args:
        wanted: The services that are waited for.
        all_services: All services, by name.

    Returns:
        Its snapshot with a `kind`: port_taken, exited, failed or unhealthy; None while there is
        hope.
    """
    for service in [*wanted, *all_services.values()]:
        kind = _hopeless(service)
        if kind and _is_needed(service, wanted, all_services):
            return {**snapshot(service), "kind": kind}
    return None


def _hopeless(service: Service) -> str:
    state = service.state
    if state.state == "failed":
        return "port_taken" if state.port else "failed"
    if state.state == "exited" or state.exits_in_a_row >= HOPELESS_EXITS:
        return "exited"
    return "unhealthy" if state.health == "unhealthy" else ""


def _is_needed(
    service: Service, wanted: Sequence[Service], all_services: Mapping[str, Service]
) -> bool:
    seen: set[str] = set()
    waiting = [service.spec.name for service in wanted]
    while waiting:
        name = waiting.pop()
        if name == service.spec.name:
            return True
        if name not in seen and name in all_services:
            seen.add(name)
            waiting.extend(all_services[name].spec.depends_on)
    return False
