"""What decides how a server makes its data at its first start, and is not read at a later one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from stackproof.plan.model import ServicePlan
from stackproof.plan.services.known_images import POSTGRES_DEFAULT, database_of, recognise

Origin = Mapping[str, str]
"""`kind` and `version` of a server, and the variables that its first start has read."""

_MYSQL = ("DATABASE", "USER", "PASSWORD", "ROOT_PASSWORD")
FIRST_START: Mapping[str, tuple[str, ...]] = {
    "postgres": ("POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD"),
    "mysql": tuple(f"MYSQL_{name}" for name in _MYSQL),
    "mariadb": tuple(f"{kind}_{name}" for kind in ("MARIADB", "MYSQL") for name in _MYSQL),
    "mongo": ("MONGO_INITDB_DATABASE", "MONGO_INITDB_ROOT_USERNAME", "MONGO_INITDB_ROOT_PASSWORD"),
    "rabbitmq": ("RABBITMQ_DEFAULT_VHOST", "RABBITMQ_DEFAULT_USER", "RABBITMQ_DEFAULT_PASS"),
    "redis": (),
    "valkey": (),
}
"""Variables that the official images read for empty data alone."""

PASSWORDS = ("PASSWORD", "PASS")
"""Ends of those variables that hold a password."""

SAME_MAJOR = {"postgres"}
"""Servers that read the data of their own major version alone; others read older data too."""


def data_origin(service: ServicePlan) -> Origin | None:
    """What the data of a service are made from; None where it is no server that is known.

    Args:
        service: The service; passwords are taken as digests.
    """
    kind, version = _server(service)
    if kind not in FIRST_START:
        return None
    environment = dict(service.environment)
    if kind == "postgres":
        environment["POSTGRES_USER"] = environment.get("POSTGRES_USER") or POSTGRES_DEFAULT
        environment["POSTGRES_DB"] = database_of(environment)
    found = {"kind": kind, "version": version}
    for name in FIRST_START[kind]:
        value = environment.get(name, "")
        is_secret = bool(value) and name.endswith(PASSWORDS)
        found[name] = hashlib.sha256(value.encode()).hexdigest()[:16] if is_secret else value
    return found


def _server(service: ServicePlan) -> tuple[str, str]:
    if service.runtime is not None:
        return service.runtime.image, service.runtime.version
    known = recognise(service.image)
    if known is not None:
        return known.name, known.version
    name, _, tag = service.image.partition("@")[0].rpartition("/")[2].partition(":")
    return name, tag.partition(".")[0] if tag[:1].isdecimal() else ""


def misfits(service: str, before: Origin, after: Origin) -> Iterator[str]:
    """Why a server can't go on with data that were made from something else, a line each.

    Args:
        service: Its name.
        before: What the data were made from.
        after: What they would be made from now.
    """
    if before["kind"] != after["kind"]:
        yield f"{service}: {before['kind']} made the data, and {after['kind']} is to read them"
        return
    if _is_unreadable(before, after):
        kind = before["kind"]
        old, new = before["version"], after["version"]
        yield f"{service}: {kind} {old} made the data, and {kind} {new} is to read them"
    for name in FIRST_START[before["kind"]]:
        if before.get(name, "") == after.get(name, ""):
            continue
        if name.endswith(PASSWORDS):
            yield f"{service}: {name} is another one than the data were made with"
        else:
            was, now = before.get(name) or "(unset)", after.get(name) or "(unset)"
            yield f"{service}: {name} was {was} when the data were made, and is {now} now"


def _is_unreadable(before: Origin, after: Origin) -> bool:
    """Whether a version is known not to read the data of another; tags may name a part of it."""
    old, new = _numbers(before["version"]), _numbers(after["version"])
    known = min(len(old), len(new))
    if before["kind"] in SAME_MAJOR:
        return known > 0 and old[0] != new[0]
    return new[:known] < old[:known]


def _numbers(version: str) -> list[int]:
    parts = version.split(".")
    return [int(part) for part in parts] if all(part.isdecimal() for part in parts) else []
