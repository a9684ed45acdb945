"""The Compose model of one copy: the user's, with names, ports, labels and limits of its own.

Pure: takes what `docker compose config` gives, and a plan; gives what Compose gets back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import deepcopy
from typing import Any

from stackproof.engines.compose.mounts import grant_files, in_use, own_mounts, own_volumes
from stackproof.engines.compose.networks import own_networks
from stackproof.errors import ConfigError
from stackproof.plan.model import Endpoint, Plan, ServicePlan
from stackproof.plan.services.known_images import recognise
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
    made = {service.name for service in plan.services}
    _refuse_missing(resolved, plan, made)
    knows_start_interval = _numbers(api_version) >= START_INTERVAL_SINCE
    services = {
        service.name: _service(
            deepcopy(resolved["services"][service.name]),
            service,
            plan,
            labels,
            made,
            knows_start_interval,
        )
        for service in plan.services
    }
    declared = resolved.get("volumes") or {}
    for service in plan.services:
        grant_files(services[service.name], resolved)
        own_mounts(services[service.name], service, declared, plan.run_folder)
    networks = own_networks(resolved, services, plan, labels)
    volumes = {
        key: _volume(key, value or {}, plan, labels) for key, value in declared.items()
    } | own_volumes(plan, labels)
    model = {"name": plan.project, "services": services, "networks": networks, "volumes": volumes}
    mounted = in_use(model)
    wanted = {key: volume for key, volume in volumes.items() if key in mounted or _is_plain(volume)}
    return {**model, "volumes": wanted}


def _refuse_missing(resolved: Model, plan: Plan, names: Collection[str]) -> None:
    missing = sorted(names - resolved["services"].keys())
    if missing:
        raise ConfigError(
            f"Docker Compose leaves out {', '.join(missing)}",
            source=plan.source.files[0] if plan.source.files else None,
            observed="`docker compose config` does not list what stackproof reads as wanted",
            remedy="look at the `profiles` of the service, and at `<<` and `!reset` beside them",
        )


def _is_plain(volume: Model) -> bool:
    return not {"external", "driver", "driver_opts"} & set(volume)


def _service(
    service: Model,
    planned: ServicePlan,
    plan: Plan,
    labels: Mapping[str, str],
    made: Collection[str],
    knows_start_interval: bool,
) -> Model:
    service.pop("container_name", None)  # one name can't belong to two copies
    service.pop("profiles", None)
    for name, bounds in (service.get("ulimits") or {}).items():
        if isinstance(bounds, dict):  # Compose's JSON leaves out what is 0, and then refuses that
            service["ulimits"][name] = {"soft": 0, "hard": 0, **bounds}
    for key in planned.joins:
        service.pop(key, None)
    if service.get("depends_on"):  # Compose refuses what is shared, or not part of the copy
        service["depends_on"] = {
            name: value for name, value in service["depends_on"].items() if name in made
        }
    service["labels"] = {**(service.get("labels") or {}), **labels}
    service["environment"] = {key: _escape(value) for key, value in planned.environment.items()}
    service["ports"] = [] if plan.hermetic else [_port(endpoint) for endpoint in planned.endpoints]
    service["image"] = planned.image
    if _is_broker(planned.image):
        service.setdefault("hostname", planned.name)
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


def _is_broker(image: str) -> bool:
    """Whether a container's data belong to its host name, which is its id unless it is given.

    RabbitMQ keeps its data in a folder that is named after its node, as in `rabbit@host`: another
    host name would begin with empty data.
    """
    known = recognise(image)
    return known is not None and known.name == "rabbitmq"


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
