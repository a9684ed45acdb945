"""Who is called what, and where each container port is found on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from stackproof.settings.layers import variable_part

HOST = "127.0.0.1"
"""The address that every service of the process engine listens on."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})
WILDCARD = frozenset({"0.0.0.0", "::", "[::]", "*"})  # noqa: S104 - recognised in order to be replaced
DOCKER_HOST = "host.docker.internal"
"""What Docker calls the machine itself, seen from a container."""


@dataclass(frozen=True)
class Addresses:
    """The services of a stack by their names, with their ports.

    Attributes:
        names: Every name of a service, in lower case: its own, aliases, host and container name.
        ports: Service to container port to port on this machine.
        published: Port that the stack file publishes, to the port that it became here.
    """

    names: Mapping[str, str]
    ports: Mapping[str, Mapping[int, int]]
    published: Mapping[int, int] = field(default_factory=dict)

    @cached_property
    def by_variable(self) -> Mapping[str, Sequence[str]]:
        """Services by how their names are written in names of variables."""
        found: dict[str, list[str]] = {}
        for name in self.ports:
            found.setdefault(variable_part(name), []).append(name)
        return found

    def service(self, name: str) -> str | None:
        """The service that a host name means; None where it is none of the stack."""
        return self.names.get(name.lower())

    def port(self, service: str, target: int) -> int | None:
        """Where a container port is found; None where the service has no such port."""
        return self.ports.get(service, {}).get(target)

    def only_port(self, service: str, preferred: int | None = None) -> int | None:
        """The container port that is meant when none is named.

        Args:
            service: Name of the service.
            preferred: The port that a scheme stands for; None where there is no scheme.
        """
        ports = self.ports.get(service, {})
        if preferred is not None:
            return preferred if preferred in ports else None
        return next(iter(ports)) if len(ports) == 1 else None
