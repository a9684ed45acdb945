"""Which services are on, and the order in which they can start."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from stackproof.errors import ConfigError
from stackproof.stack_file.model import Service, StackFile
from stackproof.stack_file.reading.nodes import Location


def leave_out(stack_file: StackFile, names: Collection[str]) -> StackFile:
    """The stack file without some of its services; nobody waits for them any more.

    Args:
        stack_file: The stack file.
        names: The services that are left out.

    Raises:
        ConfigError: If a service that stays shares the network or the volumes of one of them.
    """
    kept: dict[str, Service] = {}
    missed: dict[str, tuple[str, ...]] = {}
    for name, service in stack_file.services.items():
        if name in names:
            continue
        lent = [("volumes_from", lender) for lender in service.volumes_from]
        for key, written in (*service.joins.items(), *lent):
            joined = written.removeprefix("service:")
            if joined in names:
                raise stack_file.refusal(
                    f"services.{name}.{key}",
                    f"{name} can't run without {joined}, which is left out",
                    remedy=f"leave out {name} as well",
                )
        awaited = tuple(one for one in service.depends_on if one in names)
        missed |= {name: awaited} if awaited else {}
        rest = {one: how for one, how in service.depends_on.items() if one not in names}
        kept[name] = replace(service, depends_on=rest)
    return replace(stack_file, services=kept, missed=missed)


def select_services(
    stack_file: StackFile, profiles: Collection[str], services: Collection[str] = ()
) -> dict[str, Service]:
    """The services that are on.

    Args:
        stack_file: The stack file.
        profiles: Active profiles; `*` stands for all.
        services: Only these, and what they depend on; none named stands for all.

    Returns:
        Services by name, dependencies on services that are off and not required left out.

    Raises:
        ConfigError: If a service is unknown, or needs one that is off.
    """
    named = {one for name in services for one in stack_file.replicas.get(name, (name,))}
    for name in named:
        if name not in stack_file.services:
            known = ", ".join(stack_file.services)
            raise ConfigError(f"the stack file has no service {name!r}", remedy=f"known: {known}")
    active = set(profiles)
    on = {
        name: service
        for name, service in stack_file.services.items()
        if not service.profiles
        or name in named
        or "*" in active
        or not active.isdisjoint(service.profiles)
    }
    selected = {name: _with_known(stack_file, service, on) for name, service in on.items()}
    return _needed(selected, named) if services else selected


def _with_known(stack_file: StackFile, service: Service, on: Mapping[str, Service]) -> Service:
    kept = {}
    for name, dependency in service.depends_on.items():
        if name in on:
            kept[name] = dependency
        elif dependency.required:
            key = f"services.{service.name}.depends_on"
            where = stack_file.locations.get(key) or Location(stack_file.sources[-1], 1)
            profiles = ", ".join(stack_file.services[name].profiles)
            raise ConfigError(
                f"{service.name} depends on {name}, whose profile is off",
                source=where.source,
                line=where.line,
                key=key,
                remedy=f"turn on the profile {profiles}, or write required: false",
            )
    return replace(service, depends_on=kept)


def _needed(services: Mapping[str, Service], names: Collection[str]) -> dict[str, Service]:
    wanted: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting.extend(services[name].depends_on)
    return {name: service for name, service in services.items() if name in wanted}


def start_order(services: Mapping[str, Service]) -> tuple[str, ...]:
    """Names in an order in which each comes after all that it depends on.

    Raises:
        ConfigError: If they depend on each other in a circle, which is named.
    """
    place = {name: number for number, name in enumerate(services)}
    missing = {name: len(service.depends_on) for name, service in services.items()}
    users: dict[str, list[str]] = {name: [] for name in services}
    for name, service in services.items():
        for other in service.depends_on:
            if other in users:
                users[other].append(name)
            else:
                missing[name] -= 1
    order: list[str] = []
    free = [name for name, count in missing.items() if not count]
    while free:
        order += free
        freed = []
        for name in free:
            for user in users[name]:
                missing[user] -= 1
                if not missing[user]:
                    freed.append(user)
        free = sorted(freed, key=place.__getitem__)
    if len(order) < len(services):
        done = set(order)
        left = {name: service for name, service in services.items() if name not in done}
        circle = " → ".join(find_cycle(left))
        raise ConfigError(f"services depend on each other in a circle: {circle}",
                          remedy="remove one of the dependencies")  # fmt: skip
    return tuple(order)


def find_cycle(services: Mapping[str, Service]) -> list[str]:
    """A circle among services each of which depends on another one of them."""
    path = {next(iter(services)): 0}
    while True:
        last = next(reversed(path))
        following = next(name for name in services[last].depends_on if name in services)
        if following in path:
            return [*list(path)[path[following] :], following]
        path[following] = len(path)
