"""Whether the Docker Engine has address ranges left for the networks of a stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, ip_network
from typing import Any

from docker import DockerClient

from stackproof.engines.compose.model import Model
from stackproof.errors import EngineUnavailable

DEFAULT_POOLS = (
    ("172.17.0.0/16", 16), ("172.18.0.0/16", 16), ("172.19.0.0/16", 16), ("172.20.0.0/14", 16),
    ("172.24.0.0/14", 16), ("172.28.0.0/14", 16), ("192.168.0.0/16", 20),
)  # fmt: skip
"""What the Docker Engine takes networks from when its configuration has no pools.

Source: `default-address-pools` in the reference of dockerd, and moby's `ipamutils`.
"""


def refuse_without_addresses(client: DockerClient, model: Model) -> None:
    """Check that the networks of a stack can be made, before anything is.

    Args:
        client: The Docker Engine.
        model: What Compose will get.

    Raises:
        EngineUnavailable: If too few address ranges are left.
    """
    networks: list[dict[str, Any]] = client.api.networks()
    needed = len(to_make(model, {network["Name"] for network in networks}))
    if not needed:
        return
    left = ranges_left(client, networks, enough=needed)
    if left < needed:
        taken = sum(len(subnets_of(network)) for network in networks)
        raise no_addresses(f"{taken} are taken, {left} free, {needed} needed")


def ranges_left(client: DockerClient, networks: Sequence[Mapping[str, Any]], *, enough: int) -> int:
    """How many more networks the Docker Engine has addresses for.

    Args:
        client: The Docker Engine.
        networks: Those that exist.
        enough: Where to stop counting.
    """
    used = [subnet for network in networks for subnet in subnets_of(network)]
    pools = client.info().get("DefaultAddressPools") or [
        {"Base": base, "Size": size} for base, size in DEFAULT_POOLS
    ]
    return free_ranges(pools, used, enough=enough)


def no_addresses(observed: str) -> EngineUnavailable:
    """The error for a network that can't have addresses.

    Args:
        observed: What was seen.
    """
    return EngineUnavailable(
        "Docker has no address range left for another network",
        checked=[observed],
        remedy="remove networks that nothing uses (`docker network prune`), or give the Docker "
        "Engine more of them: `default-address-pools` in its daemon.json",
    )


def to_make(model: Model, there: set[str]) -> list[str]:
    """Names of the networks that Compose will have to find addresses for.

    Args:
        model: What Compose will get.
        there: Names of the networks that exist.
    """
    declared: Mapping[str, Mapping[str, Any] | None] = model.get("networks") or {}
    return [
        key
        for key, network in declared.items()
        if not (network or {}).get("external")
        and not ((network or {}).get("ipam") or {}).get("config")
        and (network or {}).get("name", key) not in there
    ]


def subnets_of(network: Mapping[str, Any]) -> list[IPv4Network]:
    """The IPv4 ranges that a network has, as the Docker Engine describes it."""
    written = [
        config.get("Subnet", "") for config in (network.get("IPAM") or {}).get("Config") or []
    ]
    parsed = [ip_network(path) for path in written if path]
    return [subnet for subnet in parsed if isinstance(subnet, IPv4Network)]


def free_ranges(
    pools: Sequence[Mapping[str, Any]], used: Sequence[IPv4Network], *, enough: int
) -> int:
    """How many more networks the pools have room for, counted no further than is enough.

    Args:
        pools: Each with the range `Base` and the prefix length `Size` of what is cut from it.
        used: Ranges that are taken.
        enough: Where to stop counting.
    """
    found = 0
    for pool in pools:
        base = ip_network(pool["Base"])
        if not isinstance(base, IPv4Network):
            continue
        for part in base.subnets(new_prefix=max(pool["Size"], base.prefixlen)):
            found += not any(part.overlaps(taken) for taken in used)
            if found >= enough:
                return found
    return found
