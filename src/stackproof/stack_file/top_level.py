"""The top-level `volumes:` and `networks:`, and whether services name what is there.

Source: the Compose Specification, "Volumes top-level element", "Networks top-level element".
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

from stackproof.errors import ConfigError
from stackproof.stack_file.model import NamedVolume, Network, Service, Subnet
from stackproof.stack_file.order import start_order
from stackproof.stack_file.reading.fields import Field
from stackproof.stack_file.reading.suggestion import did_you_mean

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"


def check_name(name: str, field: Field, kind: str) -> None:
    """Refuse a name that Compose refuses."""
    if not name or set(name) - set(_LETTERS):
        field.fail(f"{name!r} can't be the name of {kind}",
                   remedy="use letters, digits, dots, - and _")  # fmt: skip


def read_volumes(top: Field) -> dict[str, NamedVolume]:
    """The named volumes of a stack file."""
    return {name: _volume(name, field) for name, field in top.below("volumes").mapping().items()}


def read_networks(top: Field) -> dict[str, Network]:
    """The networks of a stack file."""
    return {
        name: Network(
            **_external(field),
            internal=field.read("internal", Field.boolean, default=False),
            driver=field.read("driver", Field.text),
            labels=field.read("labels", Field.text_pairs, {}),
            subnets=tuple(_subnets(field.below("ipam"))),
        )
        for name, field in top.below("networks").mapping().items()
    }


def _subnets(ipam: Field) -> Iterator[Subnet]:
    for field in ipam.items("config"):
        keys = ("subnet", "gateway", "ip_range")
        found = {key: text for key in keys if (text := field.read(key, Field.text)) is not None}
        if "subnet" in found:
            yield Subnet(**found)


def _volume(name: str, field: Field) -> NamedVolume:
    check_name(name, field, "a volume")
    known = field.mapping()
    beside = {"driver", "driver_opts", "labels"} & set(known)
    if "external" in known and beside:
        field.fail(f"an external volume has no {min(beside)}", remedy="remove one of them")
    return NamedVolume(
        **_external(field),
        labels=field.read("labels", Field.text_pairs, {}),
        driver=field.read("driver", Field.text),
        options=field.read("driver_opts", Field.text_pairs, {}),
    )


def _external(field: Field) -> dict[str, Any]:
    """Name and whereabouts of a volume or network; `external: {name: …}` is an older spelling."""
    name, external = field.read("name", Field.text), field.get("external")
    if external is None:
        return {"name": name}
    if not isinstance(external.value, dict):
        return {"name": name, "external": external.boolean()}
    older = external.read("name", Field.text)
    if older is not None and name is not None and name != older:
        external.fail("this has two names", remedy="write external: true, and name: beside it")
    return {"name": name if older is None else older, "external": True}


def check_references(
    services: Mapping[str, Service],
    fields: Mapping[str, Field],
    volumes: Mapping[str, NamedVolume],
    networks: Mapping[str, Network],
) -> None:
    """Refuse services that name a service, volume or network that is not there.

    Args:
        services: All services.
        fields: Their fields, for errors.
        volumes: The named volumes.
        networks: The networks.

    Raises:
        ConfigError: At the first name, or if services depend on each other in a circle.
    """
    for name, service in services.items():
        field = fields[name]
        for other in service.depends_on:
            if other not in services:
                _field(field, "depends_on").fail(
                    f"{name} depends on {other!r}, which is not a service",
                    remedy=did_you_mean(other, services),
                )
        volumes_of = [mount.source for mount in service.mounts if mount.kind == "volume"]
        _refuse_undeclared(field, "volumes", filter(None, volumes_of), volumes)
        _refuse_undeclared(field, "networks", service.networks, {"default", *networks})
    try:
        start_order(services)
    except ConfigError as error:
        first = next(name for name in services if services[name].depends_on and name in error.what)
        _field(fields[first], "depends_on").fail(error.what, remedy=error.remedy)


def _refuse_undeclared(
    service: Field, key: str, names: Iterable[str], declared: Container[str]
) -> None:
    for name in names:
        if name not in declared:
            kind, folder = key.removesuffix("s"), f", or write ./{name} for a folder"
            service.child(key).fail(
                f"the {kind} {name!r} is not declared",
                remedy=f"add it under the top-level {key}{folder if kind == 'volume' else ''}",
            )


def _field(service: Field, key: str) -> Field:
    """The field of a key, or of its service where another key implies it."""
    return service.child(key) if key in service.value else service
