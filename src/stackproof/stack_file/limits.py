"""Limits, reservations and the restart policy of a service, in both spellings.

Source: the Compose Specification, "Deploy" and the older keys of a service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stackproof.stack_file.model import Limits, Restart
from stackproof.stack_file.reading.fields import Field
from stackproof.stack_file.reading.scalars import whole_number

_POLICIES = {"no", "always", "on-failure", "unless-stopped"}
_DEPLOY_CONDITIONS = {"none": "no", "any": "always", **{policy: policy for policy in _POLICIES}}
_BOUNDS: Mapping[str, Callable[[Field], Any]] = {
    "cpus": Field.number, "memory": Field.size, "pids": Field.integer
}  # fmt: skip
MOST_REPLICAS = 100
_OLDER = {"cpus": "cpus", "mem_limit": "memory", "pids_limit": "pids"}


def read_limits(service: Field) -> dict[str, Any]:
    """`limits`, `reservations`, `replicas` and `restart` of a service, as its model has them.

    Args:
        service: The service.

    Raises:
        ConfigError: If a value is wrong, or both spellings disagree.
    """
    deploy = service.read("deploy", _deploy, {})
    scale, replicas = service.read("scale", _count), deploy.pop("replicas", None)
    if scale is not None and replicas is not None and scale != replicas:
        service.child("scale").fail(
            f"scale is {scale} and deploy.replicas is {replicas}", remedy="remove one of them"
        )
    count = next((one for one in (replicas, scale) if one is not None), 1)
    if count > 1 and service.get("container_name") is not None:
        service.child("container_name").fail(
            f"{count} replicas can't all have one container_name", remedy="remove it"
        )
    limits = _limits(service, deploy.pop("limits", None))
    reservations = Limits(**deploy.pop("reservations", {}))
    restart = service.read_all({"restart": _restart}) | deploy
    return {"limits": limits, "reservations": reservations, "replicas": count, **restart}


def _restart(field: Field) -> Restart:
    text = field.text() or "no"
    policy, colon, written = text.partition(":")
    retries = whole_number(written)
    if policy not in _POLICIES or (colon and (policy != "on-failure" or retries is None)):
        field.fail(
            f"unknown restart policy {text!r}",
            remedy='write "no", always, unless-stopped, on-failure or on-failure:3',
        )
    return Restart(policy, retries)  # type: ignore[arg-type] # checked above


def _count(field: Field) -> int:
    count = field.integer()
    if not 0 <= count <= MOST_REPLICAS:
        field.fail(f"a service can't have {count} replicas",
                   remedy=f"write a number from 0 to {MOST_REPLICAS}")  # fmt: skip
    return count


def _deploy(field: Field) -> dict[str, Any]:
    replicas = field.read("replicas", _count)
    resources = field.below("resources").read_all({"limits": _bounds, "reservations": _bounds})
    policy = field.read("restart_policy", _restart_policy)
    found = {**resources, "replicas": replicas, "restart": policy}
    return {key: value for key, value in found.items() if value is not None}


def _restart_policy(field: Field) -> Restart:
    condition = field.read("condition", Field.text, "any")
    if condition not in _DEPLOY_CONDITIONS:
        field.child("condition").fail(f"unknown condition {condition!r}",
                                      remedy="write none, on-failure or any")  # fmt: skip
    attempts = field.read("max_attempts", Field.integer)
    return Restart(_DEPLOY_CONDITIONS[condition], attempts)  # type: ignore[arg-type] # checked above


def _bounds(field: Field) -> dict[str, Any]:
    return field.read_all(_BOUNDS)


def _limits(service: Field, deploy: Mapping[str, Any] | None) -> Limits:
    found: dict[str, Any] = dict(deploy or {})
    for key, bound in _OLDER.items():
        value = service.read(key, _BOUNDS[bound])
        if not value:
            continue
        if deploy is not None and deploy.get(bound) != value:
            service.child(key).fail(
                f"{key} and deploy.resources.limits.{bound} differ",
                remedy="write all limits in one of the two places",
            )
        found[bound] = value
    return Limits(**{key: value or None for key, value in found.items()})
