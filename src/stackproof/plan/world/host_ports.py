"""The ports of this machine that services of a private world reach at their gateways.

Those that `external` allows by a name of this machine, and those that the stack itself publishes:
by the number that the stack file writes, whatever port the copy has on this machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stackproof.plan.addressing.ownership import DOCKER_HOSTS
from stackproof.plan.model import Plan

HIGHEST = 65535


def host_ports(plan: Plan) -> Mapping[int, int]:
    """Each port as services ask for it, with that of this machine; none where nothing may leave."""
    if plan.world != "private" or plan.hermetic:
        return {}
    named = [int(port) for _, port in _named(plan) if port.isdecimal()]
    known = {**dict(zip(named, named, strict=True)), **plan.addresses.published}
    return {port: here for port, here in known.items() if 0 < port <= HIGHEST}


def host_notices(plan: Plan) -> Iterator[str]:
    """What `external` allows of this machine and can't be given, in words."""
    if plan.world == "private":
        for name, port in _named(plan):
            if not port:
                yield (
                    f"`external: {name}` opens no port of this machine in a private world: they "
                    f"are opened one by one (write {name}:9000)"
                )


def _named(plan: Plan) -> Iterator[tuple[str, str]]:
    """Entries of `external` that name this machine, each with what stands for the port."""
    known = DOCKER_HOSTS | {
        name.lower()
        for service in plan.services
        if service.world is not None
        for name, address in service.world.hosts.items()
        if address in {interface.gateway for interface in service.world.interfaces}
    }
    for written in plan.external:
        name, _, port = written.strip().lower().partition(":")
        if name in known:
            yield name, port
