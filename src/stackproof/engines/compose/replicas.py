"""Replicas in what Docker Compose has read: each is a service by its own name. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from stackproof.stack_file.replicas import DEFAULT_NETWORK, renamed

Model = dict[str, Any]

_JOINS = ("network_mode", "ipc", "pid", "uts")


def replicated(model: Model, replicas: Mapping[str, Sequence[str]]) -> Model:
    """A model with the replicas that the plan has.

    Args:
        model: What `docker compose config --format json` gave.
        replicas: Service to the names of its replicas.
    """
    if not replicas:
        return model
    services: Model = {}
    for name, service in model["services"].items():
        known = _with_names(service, replicas)
        made = replicas.get(name, ())
        services |= {one: _replica(known, name) for one in made} if made else {name: known}
    return {**model, "services": services}


def _replica(service: Model, name: str) -> Model:
    own = deepcopy(service)
    own.pop("scale", None)
    (own.get("deploy") or {}).pop("replicas", None)
    if not own.get("network_mode"):
        networks = own.get("networks") or {DEFAULT_NETWORK: None}
        own["networks"] = {
            network: {**(about or {}), "aliases": [*((about or {}).get("aliases") or ()), name]}
            for network, about in networks.items()
        }
    return own


def _with_names(service: Model, replicas: Mapping[str, Sequence[str]]) -> Model:
    own = dict(service)
    if own.get("depends_on"):
        own["depends_on"] = {
            one: how
            for name, how in own["depends_on"].items()
            for one in replicas.get(name, (name,))
        }
    for key in ("links", "volumes_from"):
        if own.get(key):
            pairs = (entry.partition(":") for entry in own[key])
            own[key] = ["".join((replicas.get(name, (name,))[0], *rest)) for name, *rest in pairs]
    return own | {key: renamed(own[key], replicas) for key in _JOINS if own.get(key)}
