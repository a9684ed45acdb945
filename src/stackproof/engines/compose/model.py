"""The Compose model of one copy: the user's, with names, ports, labels and limits of its own.

Pure: takes what `docker compose config` gives, and a plan; gives what Compose gets back.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from stackproof.engines.compose.mounts import in_use, own_mounts, own_volumes
from stackproof.plan.model import Endpoint, Plan, ServicePlan
from stackproof.stack_file.model import Limits

Model = dict[str, Any]

START_INTERVAL_SINCE = (1, 44)
"""API version since which the Docker Engine knows `start_interval` (Docker Engine API history)."""


def effective_model(
    resolved: Model, plan: Plan, labels: Mapping[str, str], api_version: str
) -> Model:
    """What runs: every name belongs to the project, every port to this machine's loopback.

    Args:
        resolved: What `docker compose config --format json` gave.
        plan: The plan.
        labels: What containers, networks and volumes are marked with.
        api_version: Version of the Docker Engine's API, such as `1.41`.
    """
    knows_start_interval = _numbers(api_version) >= START_INTERVAL_SINCE
    services = {
        one.name: _service(
            deepcopy(resolved["services"][one.name]), one, plan, labels, knows_start_interval
        )
        for one in plan.services
    }
    declared = resolved.get("volumes") or {}
    for one in plan.services:
        own_mounts(services[one.name], one, declared, plan.run_folder)
    networks = {
        key: _network(key, value or {}, plan, labels)
        for key, value in (resolved.get("networks") or {}).items()
    }
    volumes = {
        key: _volume(key, value or {}, plan, labels) for key, value in declared.items()
    } | own_volumes(plan, labels)
    model = {"name": plan.project, "services": services, "networks": networks, "volumes": volumes}
    mounted = in_use(model)
    wanted = {key: one for key, one in volumes.items() if key in mounted or _is_plain(one)}
    return {**model, "volumes": wanted}


def _is_plain(volume: Model) -> bool:
    return not {"external", "driver", "driver_opts"} & set(volume)


def _service(
    service: Model,
    planned: ServicePlan,
    plan: Plan,
    labels: Mapping[str, str],
    knows_start_interval: bool,
) -> Model:
    service.pop("container_name", None)  # one name can't belong to two copies
    service.pop("profiles", None)
    for key in planned.joins:
        service.pop(key, None)
    for name in plan.elsewhere:
        (service.get("depends_on") or {}).pop(name, None)
    service["labels"] = {**(service.get("labels") or {}), **labels}
    service["environment"] = {key: _escape(value) for key, value in planned.environment.items()}
    service["ports"] = [] if plan.hermetic else [_port(one) for one in planned.endpoints]
    service["image"] = planned.image
    service["stop_grace_period"] = f"{planned.stop_grace:g}s"
    if planned.builds:
        service["build"]["labels"] = {**(service["build"].get("labels") or {}), **labels}
    for key in ("cpus", "mem_limit", "pids_limit"):
        service.pop(key, None)
    resources = service.setdefault("deploy", {}).setdefault("resources", {})
    resources["limits"] = _limits(planned.limits)
    if not knows_start_interval:
        (service.get("healthcheck") or {}).pop("start_interval", None)
    return service


def _limits(limits: Limits) -> Model:
    bounds = {
        "cpus": None if limits.cpus is None else f"{limits.cpus:g}",
        "memory": None if limits.memory is None else str(limits.memory),
        "pids": limits.pids,
    }
    return {key: value for key, value in bounds.items() if value is not None}


def _port(endpoint: Endpoint) -> Model:
    return {
        "target": endpoint.target,
        "published": str(endpoint.port),
        "host_ip": endpoint.host,
        "protocol": "tcp",
        "mode": "ingress",
    }


def _network(key: str, network: Model, plan: Plan, labels: Mapping[str, str]) -> Model:
    if network.get("external"):
        network = {}  # somebody's servers are in it; the run has one of its own
    own = {**network, "name": f"{plan.project}_{key}"}
    own["labels"] = {**(network.get("labels") or {}), **labels}
    if plan.hermetic:
        own["internal"] = True
    return own


def _volume(key: str, volume: Model, plan: Plan, labels: Mapping[str, str]) -> Model:
    if volume.get("external"):
        return volume
    own = {**volume, "name": f"{plan.project}_{key}"}
    own["labels"] = {**(volume.get("labels") or {}), **labels}
    return own


def _escape(value: str) -> str:
    """A value that interpolation leaves as it is."""
    return value.replace("$", "$$")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
