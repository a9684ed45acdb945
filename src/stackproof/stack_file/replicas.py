"""`scale` and `deploy.replicas`: several containers of a service, each a service by its own name.

`web` with two replicas becomes `web-1` and `web-2`; in their networks, `web` leads to both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain

from stackproof.stack_file.model import Dependency, Port, Service, StackFile
from stackproof.stack_file.order import leave_out
from stackproof.stack_file.reading.nodes import Location

DEFAULT_NETWORK = "default"


def replica_names(name: str, count: int) -> tuple[str, ...]:
    """The names of the replicas of a service."""
    return tuple(f"{name}-{number}" for number in range(1, count + 1))


def with_replicas(stack_file: StackFile) -> StackFile:
    """The stack file with each replica as a service; those with none are left out.

    Args:
        stack_file: The stack file as it is written.

    Raises:
        ConfigError: If replicas would have the same name or port as something else.
    """
    counts = {name: one.replicas for name, one in stack_file.services.items() if one.replicas != 1}
    if not counts:
        return stack_file
    none = [name for name, count in counts.items() if not count]
    if none:
        stack_file = leave_out(stack_file, none)
    replicas = {name: replica_names(name, count) for name, count in counts.items() if count}
    services: dict[str, Service] = {}
    for name, service in stack_file.services.items():
        known = _with_names(service, replicas)
        made = replicas.get(name)
        services |= _replicas(stack_file, known, made) if made else {name: known}
    missed = stack_file.missed
    located = {**stack_file.locations, **_locations(stack_file, replicas)}
    return replace(
        stack_file,
        services=services,
        replicas=replicas,
        missed={one: missed[name] for name in missed for one in replicas.get(name, (name,))},
        locations=located,
    )


def _replicas(stack_file: StackFile, service: Service, names: Sequence[str]) -> dict[str, Service]:
    taken = [name for name in names if name in stack_file.services]
    if taken:
        raise stack_file.refusal(
            f"services.{service.name}",
            f"a replica of {service.name} and another service are called {taken[0]}",
            remedy="give the other service another name",
        )
    if service.addresses:
        network, address = next(iter(service.addresses.items()))
        raise stack_file.refusal(
            f"services.{service.name}.networks.{network}.ipv4_address",
            f"the {len(names)} replicas of {service.name} can't all have the address {address}",
            remedy="remove ipv4_address, or write the services one by one",
        )
    ports = [_ports(stack_file, service, index, len(names)) for index in range(len(service.ports))]
    networks = {} if service.network_mode else service.networks or {DEFAULT_NETWORK: ()}
    aliases = {network: (*those, service.name) for network, those in networks.items()}
    return {
        name: replace(
            service,
            name=name,
            replica_of=service.name,
            replicas=1,
            networks=aliases,
            ports=tuple(port[number] for port in ports),
        )
        for number, name in enumerate(names)
    }


def _ports(stack_file: StackFile, service: Service, index: int, count: int) -> list[Port]:
    """A port as each replica publishes it: one after the other of a range."""
    port = service.ports[index]
    if port.published is None:
        return [port] * count
    first, dash, last = port.published.partition("-")
    numbers = range(int(first), int(last or first) + 1)
    if len(numbers) < count:
        raise stack_file.refusal(
            f"services.{service.name}.ports[{index}]",
            f"{count} replicas of {service.name} can't publish "
            f"{f'the {len(numbers)} ports' if dash else 'the port'} {port.published}",
            observed="Docker Compose starts the first and fails at the next: the port is taken",
            remedy=f'publish any free port ("{port.target}"), or a range such as '
            f"{first}-{int(first) + count - 1}:{port.target}",
        )
    return [replace(port, published=str(number)) for number in numbers[:count]]


def _with_names(service: Service, replicas: Mapping[str, Sequence[str]]) -> Service:
    """A service that waits for all replicas of another one, and shares with the first."""
    depends_on: dict[str, Dependency] = {
        one: how for name, how in service.depends_on.items() for one in replicas.get(name, (name,))
    }
    return replace(
        service,
        depends_on=depends_on,
        links={alias: replicas.get(name, (name,))[0] for alias, name in service.links.items()},
        joins={key: renamed(written, replicas) for key, written in service.joins.items()},
        network_mode=service.network_mode and renamed(service.network_mode, replicas),
    )


def renamed(written: str, replicas: Mapping[str, Sequence[str]]) -> str:
    """`service:web` with the name of the first replica."""
    kind, colon, name = written.partition(":")
    return f"{kind}:{replicas[name][0]}" if colon and name in replicas else written


def expanded(names: Sequence[str], replicas: Mapping[str, Sequence[str]]) -> list[str]:
    """Names of services, where that of a replicated one stands for all its replicas."""
    return list(chain.from_iterable(replicas.get(name, (name,)) for name in names))


def _locations(stack_file: StackFile, replicas: Mapping[str, Sequence[str]]) -> dict[str, Location]:
    found: dict[str, Location] = {}
    for key, where in stack_file.locations.items():
        head, _, rest = key.removeprefix("services.").partition(".")
        for name in replicas.get(head, ()) if key.startswith("services.") else ():
            found[f"services.{name}.{rest}" if rest else f"services.{name}"] = where
    return found
