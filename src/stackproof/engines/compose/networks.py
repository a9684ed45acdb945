"""The networks of one copy: named after it, nobody else's, and with address ranges of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from stackproof.errors import Refused
from stackproof.plan.model import Plan
from stackproof.stack_file.model import FOREIGN_DRIVERS

Network = dict[str, Any]

_ADDRESS = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
_FIXED = ("ipv4_address", "ipv6_address", "link_local_ips")


def own_networks(
    resolved: Mapping[str, Any], services: Mapping[str, Any], plan: Plan, labels: Mapping[str, str]
) -> dict[str, Network]:
    """The networks as the copy has them.

    A range of addresses is Docker's to choose where nothing in the stack file depends on it: two
    copies, or a copy and the development stack, can't have the same one.

    Args:
        resolved: What `docker compose config --format json` gave.
        services: The services of the copy; they lose addresses of networks that are replaced.
        plan: The plan.
        labels: What the networks are marked with.
    """
    networks = {}
    for key, declared in (resolved.get("networks") or {}).items():
        network = declared or {}
        if _is_foreign(network):
            network = {}  # somebody's servers are in it; the run has one of its own
            _drop_addresses(services, key)
        elif _ranges(network) and not _is_fixed(network, key, services):
            network = {**network, "ipam": {**network["ipam"], "config": []}}
        own = {**network, "name": f"{plan.project}_{key}"}
        own["labels"] = {**(network.get("labels") or {}), **labels}
        if plan.hermetic:
            own["internal"] = True
        networks[key] = own
    return networks


def _is_foreign(network: Network) -> bool:
    return bool(network.get("external")) or network.get("driver") in FOREIGN_DRIVERS


def _drop_addresses(services: Mapping[str, Any], key: str) -> None:
    for service in services.values():
        attachment = (service.get("networks") or {}).get(key) or {}
        for name in _FIXED:
            attachment.pop(name, None)


def _ranges(network: Network) -> list[str]:
    configs = (network.get("ipam") or {}).get("config") or []
    return [config["subnet"] for config in configs if config.get("subnet")]


def _is_fixed(network: Network, key: str, services: Mapping[str, Any]) -> bool:
    """Whether something depends on the addresses of a network."""
    attachments = [(service.get("networks") or {}).get(key) or {} for service in services.values()]
    if network.get("enable_ipv6") or any(set(_FIXED) & set(each) for each in attachments):
        return True
    ranges = [ip_network(written, strict=False) for written in _ranges(network)]
    named = [
        address for text in _ADDRESS.findall(json.dumps(services)) if (address := _parsed(text))
    ]
    return any(address in each for address in named for each in ranges)


def _parsed(text: str) -> Any:
    try:
        return ip_address(text)
    except ValueError:
        return None


def new_ranges(
    there: Sequence[Mapping[str, Any]], resolved: Mapping[str, Any], networks: Mapping[str, Network]
) -> Iterator[str]:
    """Networks that get another range than the stack file says, in words.

    Args:
        there: The networks of the Docker Engine.
        resolved: What `docker compose config --format json` gave.
        networks: What `own_networks` made of it.
    """
    names = {network["Name"] for network in there}
    for key, own in networks.items():
        written = _ranges((resolved.get("networks") or {}).get(key) or {})
        if written and not _ranges(own) and own["name"] not in names:
            yield f"the network {key} gets a free range of addresses, not {', '.join(written)}"


def refuse_taken_ranges(
    there: Sequence[Mapping[str, Any]], networks: Mapping[str, Network]
) -> None:
    """Check the ranges that the copy can't do without.

    Args:
        there: The networks of the Docker Engine.
        networks: Those of the copy.

    Raises:
        Refused: If another network has a part of one.
    """
    names = {network["Name"] for network in there}
    for key, own in networks.items():
        for written in _ranges(own) if own["name"] not in names else ():
            wanted = ip_network(written, strict=False)
            for network in there:
                for taken in _subnets(network):
                    if wanted.version == taken.version and wanted.overlaps(taken):
                        raise _taken(key, written, network["Name"], str(taken))


def _subnets(network: Mapping[str, Any]) -> list[Any]:
    configs = (network.get("IPAM") or {}).get("Config") or []
    return [ip_network(each["Subnet"], strict=False) for each in configs if each.get("Subnet")]


def _taken(key: str, wanted: str, holder: str, taken: str) -> Refused:
    return Refused(
        f"the network {key} can't have the addresses {wanted}",
        observed=f"Docker's network {holder} has {taken}, and services of the stack file depend on "
        f"addresses in {wanted}",
        remedy=f"take the stack of {holder} down, or remove the fixed addresses from the stack "
        "file: services reach each other by name",
    )
