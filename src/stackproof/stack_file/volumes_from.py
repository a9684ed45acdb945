"""`volumes_from:`: a service has the mounts of another one as well.

Source: the Compose Specification, "volumes_from".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from stackproof.stack_file.model import Dependency, Mount, Service
from stackproof.stack_file.order import start_order
from stackproof.stack_file.reading.fields import Field

_MODES = ("", "ro", "rw", "z", "Z")


def lenders(service: Field) -> dict[str, Dependency]:
    """The services whose mounts a service has, as what it waits for.

    Args:
        service: The service.

    Raises:
        ConfigError: If an entry names a container, or has no such form.
    """
    return {name: Dependency() for name, _ in _entries(service)}


def _entries(service: Field) -> Iterator[tuple[str, bool]]:
    """Each service, and whether its mounts are read-only here."""
    for field in service.items("volumes_from"):
        text = field.text()
        name, _, mode = text.partition(":")
        if name == "container":
            field.fail(
                f"{text} has the volumes of a container that is not the stack's",
                remedy="name a service of this stack, or name the volumes under `volumes`",
            )
        if not name or mode not in _MODES:
            field.fail(f"{text!r} is no service with a mode", remedy="write service or service:ro")
        yield name, mode == "ro"


def with_lent_mounts(
    services: Mapping[str, Service], fields: Mapping[str, Field]
) -> dict[str, Service]:
    """The services, each with the mounts of those that it has them from; its own are stronger.

    Args:
        services: All services, whose dependencies are no circle.
        fields: Their fields.
    """
    found = dict(services)
    for name in start_order(services):
        mounts = {mount.target: mount for mount in services[name].mounts}
        for lender, is_read_only in _entries(fields[name]):
            for mount in found[lender].mounts:
                if not _is_lent(mount):
                    continue
                own = mount if mount.source else replace(mount, owner=mount.owner or lender)
                mounts.setdefault(
                    mount.target, replace(own, read_only=own.read_only or is_read_only)
                )
        names = tuple(lender for lender, _ in _entries(fields[name]))
        found[name] = replace(services[name], mounts=tuple(mounts.values()), volumes_from=names)
    return found


def _is_lent(mount: Mount) -> bool:
    """Whether Docker passes a mount on: no tmpfs, and nothing that was granted."""
    return mount.kind != "tmpfs" and mount.content is None
