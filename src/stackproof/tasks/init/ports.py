"""Ports of this machine for a copy, beside those of the development stack."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import chain

from stackproof.stack_file.model import Service

BESIDE = 10_000
"""How far a port is from the published one: 8000 becomes 18000."""

LOWEST, HIGHEST = 1024, 65_535

Ports = Mapping[str, int | Mapping[int, int]]


def copy_ports(
    services: Iterable[Service],
    *,
    before: Ports,
    taken: Collection[int],
    is_free: Callable[[int], bool],
) -> dict[str, int | Mapping[int, int]]:
    """A port for each published one.

    Args:
        services: The services that are on.
        before: What an earlier config says; it is kept.
        taken: Ports of other stacks of the repository.
        is_free: Whether nothing listens on a port now.
    """
    services = list(services)
    published = {
        int(port.published)
        for service in services
        for port in service.ports
        if port.published and port.published.isdecimal()
    }
    used = {*taken, *published, *_numbers(before)}
    found: dict[str, int | Mapping[int, int]] = {}
    for service in services:
        wanted = {
            port.target: int(port.published)
            if port.published and port.published.isdecimal()
            else port.target
            for port in service.ports
            if port.protocol == "tcp"
        }
        if service.name in before:
            found[service.name] = before[service.name]
            continue
        chosen: dict[int, int] = {}
        for target, number in wanted.items():
            chosen[target] = _beside(number, used, is_free)
            used.add(chosen[target])
        if chosen:
            found[service.name] = chosen if len(chosen) > 1 else chosen.popitem()[1]
    return found


def _numbers(ports: Ports) -> set[int]:
    return {
        number
        for port in ports.values()
        for number in (port.values() if isinstance(port, Mapping) else (port,))
    }


def _beside(number: int, used: Collection[int], is_free: Callable[[int], bool]) -> int:
    """The first free port at a distance that people can read."""
    begin = number + BESIDE
    tried: Iterable[int] = chain(
        range(begin, HIGHEST, BESIDE), range(begin + 1, begin + 100), range(LOWEST, HIGHEST)
    )
    for candidate in tried:
        if LOWEST <= candidate <= HIGHEST and candidate not in used and is_free(candidate):
            return candidate
    return number
