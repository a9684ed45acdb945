"""Ports that the files ask for and that a stack can't have are found before anything starts."""

from __future__ import annotations

import errno
from collections.abc import Collection

from stackproof.errors import PortTaken, StartFailed
from stackproof.reaper.port_claims import bind_error
from stackproof.stack.resolved import ResolvedStack


def refuse_taken_ports(resolved: ResolvedStack, *, own: Collection[int] = ()) -> None:
    """Make sure that each port that was asked for by its number is free.

    Args:
        resolved: The stack.
        own: Ports that it has already.

    Raises:
        PortTaken: With who listens there, and the key that asks for the port.
        StartFailed: If only root may listen there.
    """
    plan = resolved.plan
    for (service, target), place in plan.port_places.items():
        port = plan.ports.get((service, target), 0)
        error = bind_error(port) if port and port not in own else 0
        if error == errno.EACCES and plan.engine == "process":
            raise StartFailed(
                f"{service} can't have port {port}: only root may listen there",
                observed=f"asked for in {place}",
                remedy=f"give it another one: `ports: {{{service}: {port + 10000}}}` in the stack "
                "config",
            )
        if error == errno.EADDRINUSE:
            holder = resolved.engine.holder_of(port)
            raise PortTaken(service, port=port, holder=holder, place=place)
