"""Who is in which network of a private world, at which address and by which names.

All services of the stack file are counted, also those that are off, and no port, project or other
stack of this machine: so each copy of a stack sees the same addresses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from itertools import chain

from stackproof.plan.world.model import Interface
from stackproof.stack_file.model import Service, StackFile, Subnet

DEFAULT = "default"
"""The network of services that name none."""

BRIDGE = "bridge"
"""The network of `network_mode: bridge`, which is none of the project's."""

ALONE = frozenset({"none", "host"})

_SUBNETS = (
    *(IPv4Network(f"172.{number}.0.0/16") for number in range(18, 32)),
    *IPv4Network("192.168.0.0/16").subnets(new_prefix=20),
    *IPv4Network("10.0.0.0/8").subnets(new_prefix=16),
)
"""What networks get in turn; Docker's pools without 172.17, and after them more."""


def networks_of(service: Service) -> tuple[str, ...]:
    """The networks that a service has an address in, the one with the default route first."""
    mode = service.network_mode or DEFAULT
    if mode in ALONE or mode.startswith(("service:", "container:")):
        return ()
    return tuple(service.networks) or (BRIDGE if mode == BRIDGE else DEFAULT,)


def interfaces_of(stack_file: StackFile) -> dict[str, tuple[Interface, ...]]:
    """The interfaces of each service of a stack file.

    Raises:
        ConfigError: If a subnet or an address can't be had, with its place.
    """
    members: dict[str, list[Service]] = {}
    for service in stack_file.services.values():
        for network in networks_of(service):
            members.setdefault(network, []).append(service)
    order = [name for name in (DEFAULT, *stack_file.networks, BRIDGE) if name in members]
    subnets = _subnets(stack_file, list(dict.fromkeys(order)))
    found: dict[tuple[str, str], Interface] = {}
    for network, subnet in subnets.items():
        for interface, service in _attached(stack_file, network, subnet, members[network]):
            found[service.name, network] = interface
    return {
        service.name: tuple(found[service.name, network] for network in networks_of(service))
        for service in stack_file.services.values()
    }


def _attached(
    stack_file: StackFile, network: str, subnet: _Range, members: list[Service]
) -> Iterator[tuple[Interface, Service]]:
    about = stack_file.networks.get(network)
    taken = {subnet.gateway: "the gateway"}
    fixed: dict[str, IPv4Address] = {}
    for service in members:
        written = service.addresses.get(network)
        if written is not None:
            fixed[service.name] = _fixed(stack_file, service, network, subnet, taken)
            taken[fixed[service.name]] = service.name
    free = (address for address in subnet.range if address not in taken)
    for service in members:
        address = fixed.get(service.name) or next(free, None)
        if address is None:
            raise stack_file.refusal(
                f"networks.{network}.ipam",
                f"the network {network} has no address left for {service.name}",
                observed=f"its subnet is {subnet.whole}, and {len(members)} services are in it",
                remedy="write a larger subnet",
            )
        is_internal = about is not None and about.internal
        yield (
            Interface(
                network,
                str(address),
                subnet.whole.prefixlen,
                "" if is_internal else str(subnet.gateway),
                _names(service, network),
            ),
            service,
        )


def _names(service: Service, network: str) -> tuple[str, ...]:
    aliases = service.networks.get(network, ())
    names = (service.container_name, service.name, *aliases, service.hostname)
    return tuple(dict.fromkeys(name for name in names if name))


class _Range:
    """A subnet with its gateway and the addresses that services get in turn."""

    def __init__(self, whole: IPv4Network, gateway: IPv4Address, some: IPv4Network) -> None:
        self.whole = whole
        self.gateway = gateway
        self.some = some

    @property
    def range(self) -> Iterator[IPv4Address]:
        ends = (self.whole.network_address, self.whole.broadcast_address)
        return (address for address in self.some if address not in ends)


def _subnets(stack_file: StackFile, names: list[str]) -> dict[str, _Range]:
    wanted = {name: _wanted(stack_file, name) for name in names}
    written = {name: found for name, found in wanted.items() if found is not None}
    _refuse_overlaps(stack_file, written)
    free = (
        subnet
        for subnet in _SUBNETS
        if not any(subnet.overlaps(other.whole) for other in written.values())
    )
    found = {}
    for name in names:
        known = wanted[name]
        if known is None:
            subnet = next(free, None)
            if subnet is None:
                raise stack_file.refusal(
                    f"networks.{name}",
                    f"there is no free subnet for the network {name}",
                    observed=f"the stack has {len(names)} networks",
                    remedy="give it a subnet under `ipam`, or remove networks",
                )
            known = _Range(subnet, subnet.network_address + 1, subnet)
        found[name] = known
    return found


def _wanted(stack_file: StackFile, network: str) -> _Range | None:
    """The first IPv4 subnet that the stack file names for a network."""
    about = stack_file.networks.get(network)
    for number, subnet in enumerate(about.subnets if about else ()):
        if ":" not in subnet.subnet:  # IPv6 is not given
            return _read(stack_file, f"networks.{network}.ipam.config[{number}]", subnet)
    return None


def _read(stack_file: StackFile, key: str, written: Subnet) -> _Range:
    try:
        whole = IPv4Network(written.subnet)
        some = IPv4Network(written.ip_range or written.subnet)
        gateway = IPv4Address(written.gateway or whole.network_address + 1)
    except (AddressValueError, NetmaskValueError, ValueError) as error:
        raise stack_file.refusal(
            key, f"this subnet can't be read: {error}", remedy="write it like 10.5.0.0/16"
        ) from None
    if not some.subnet_of(whole) or gateway not in whole:
        raise stack_file.refusal(
            key,
            "the gateway and the range must be in the subnet",
            observed=f"subnet {whole}, range {some}, gateway {gateway}",
            remedy="correct them, or write the subnet alone",
        )
    return _Range(whole, gateway, some)


def _refuse_overlaps(stack_file: StackFile, written: Mapping[str, _Range]) -> None:
    known: dict[str, _Range] = {}
    for name, subnet in written.items():
        for other, before in known.items():
            if subnet.whole.overlaps(before.whole):
                raise stack_file.refusal(
                    f"networks.{name}.ipam",
                    f"the networks {other} and {name} can't have the same addresses",
                    observed=f"{other}: {before.whole}; {name}: {subnet.whole}",
                    remedy="give one of them another subnet",
                )
        known[name] = subnet


def _fixed(
    stack_file: StackFile,
    service: Service,
    network: str,
    subnet: _Range,
    taken: Mapping[IPv4Address, str],
) -> IPv4Address:
    written = service.addresses[network]
    try:
        address = IPv4Address(written)
    except AddressValueError:
        address = None
    is_inside = address is not None and address in subnet.whole
    if address is not None and is_inside and address not in taken:
        ends = (subnet.whole.network_address, subnet.whole.broadcast_address)
        if address not in ends:
            return address
    holder = taken.get(address) if address is not None else None
    raise stack_file.refusal(
        f"services.{service.name}.networks.{network}.ipv4_address",
        f"{service.name} can't have the address {written}",
        observed=f"{holder} has it" if holder else f"the subnet of {network} is {subnet.whole}",
        remedy="write a free address of the subnet, and the subnet under `ipam` of the network",
    )


def hosts_of(
    service: Service, interfaces: Mapping[str, tuple[Interface, ...]], gateway: str
) -> dict[str, str]:
    """The further names of a service's hosts file: its links, and `extra_hosts`.

    Args:
        service: The service.
        interfaces: Those of all services.
        gateway: The address that `host-gateway` stands for; empty where the service has none.
    """
    own = {interface.network for interface in interfaces[service.name]}
    found: dict[str, str] = {}
    pairs = (written.partition("=")[::2] for written in service.extra_hosts)
    for name, address in chain(_links(service, interfaces, own), pairs):
        meant = gateway if address == "host-gateway" else address
        if meant:
            found.setdefault(name, meant)
    return found


def _links(
    service: Service, interfaces: Mapping[str, tuple[Interface, ...]], own: set[str]
) -> Iterator[tuple[str, str]]:
    for alias, target in service.links.items():
        for interface in interfaces.get(target, ()):
            if interface.network in own:
                yield alias, interface.address
                break
