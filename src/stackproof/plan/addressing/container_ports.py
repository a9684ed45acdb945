"""Which container ports each service has, and which port of this machine each one gets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from stackproof.errors import ConfigError
from stackproof.plan.addressing import patterns
from stackproof.plan.addressing.addresses import LOOPBACK, WILDCARD
from stackproof.plan.addressing.hosts import NO_PORT, parse_port
from stackproof.plan.addressing.urls import find_urls
from stackproof.plan.services.drafts import Draft
from stackproof.settings.layers import variable_part
from stackproof.settings.model import Settings
from stackproof.stack_file.model import StackFile
from stackproof.stack_file.reading.scalars import whole_number
from stackproof.stack_file.reading.suggestion import did_you_mean

LOWEST_PAIR = 80
"""A smaller number after a name is a tag or version, unless the port is declared."""

PortKey = tuple[str, int]
"""Name of a service and one of its container ports."""


@dataclass(frozen=True)
class HostPort:
    """A port of this machine for a container port.

    Attributes:
        number: The port.
        origin: Where it was written, for errors.
        key: The key that it stands under; empty for a free port.
    """

    number: int
    origin: str
    key: str = ""


def service_names(drafts: Sequence[Draft]) -> dict[str, str]:
    """Every name that a service is reached by, in lower case; a service's own name wins."""
    names: dict[str, str] = {}
    for draft in drafts:
        service = draft.service
        aliases = (alias for group in service.networks.values() for alias in group)
        for name in (service.container_name, service.hostname, *aliases):
            if name:
                names.setdefault(name.lower(), service.name)
        for alias, name in service.links.items():
            names.setdefault(alias.lower(), name)
    return {**names, **{draft.name.lower(): draft.name for draft in drafts}}


def container_ports(settings: Settings, drafts: Sequence[Draft]) -> dict[str, tuple[int, ...]]:
    """The TCP ports that each service listens on inside its container.

    They come from `ports`, the known image, `expose`, `x-stackproof.ports`, addresses that other
    services and its own command and health check name, and the settings; and from EXPOSE of its
    Dockerfile where the service runs the Dockerfile's own command.

    Args:
        settings: The settings.
        drafts: All services of the plan.
    """
    names = service_names(drafts)
    mentioned = _mentioned(names, drafts)
    settled = _port_settings(settings, drafts)
    found: dict[str, tuple[int, ...]] = {}
    for draft in drafts:
        service = draft.service
        ports = [draft.known.port] if draft.known else []
        ports += [port.target for port in service.ports if port.protocol == "tcp"]
        ports += [*service.expose, *draft.extension.ports, *mentioned.get(draft.name, ())]
        configured = settled[draft.name]
        if isinstance(configured, Mapping):
            ports += configured
        if draft.image and service.command is None and draft.extension.command is None:
            ports += draft.image.ports
        ports += draft.known.internal if draft.known else ()
        found[draft.name] = tuple(dict.fromkeys(ports))
    return found


def _mentioned(names: Mapping[str, str], drafts: Sequence[Draft]) -> dict[str, list[int]]:
    projects = {draft.name for draft in drafts if draft.known is None}
    found: dict[str, list[int]] = {}
    for draft in drafts:
        for text in _texts(draft):
            for host, port in _addresses(text):
                service = names.get(host.lower())
                if service in projects and service != draft.name:
                    found.setdefault(service, []).append(port)
        if draft.known is None:
            found.setdefault(draft.name, []).extend(_own_ports(names, draft))
    return found


def _texts(draft: Draft) -> Iterator[str]:
    yield from draft.environment.values()
    yield patterns.ARGUMENT_END.join(draft.argv)
    if draft.service.healthcheck:
        yield patterns.ARGUMENT_END.join(draft.service.healthcheck.test)


def _addresses(text: str) -> Iterator[tuple[str, int]]:
    """Hosts with a port in URLs; a pair outside a URL counts only as a whole value."""
    for url in find_urls(text):
        for host in url.hosts:
            port = parse_port(host.port)
            if host.host and port is not None and port != NO_PORT:
                yield host.host, port
    pair = patterns.PAIR.fullmatch(text)
    if pair is not None and int(pair["port"]) >= LOWEST_PAIR:
        yield pair["host"], int(pair["port"])


def _own_ports(names: Mapping[str, str], draft: Draft) -> Iterator[int]:
    """Ports that the service's own command listens on, or its health check asks."""
    command = patterns.ARGUMENT_END.join(draft.argv)
    check = draft.service.healthcheck
    test = patterns.ARGUMENT_END.join(check.test) if check else ""
    for match in patterns.PAIR.finditer(command):
        if match["host"] in WILDCARD:
            yield int(match["port"])
    ready = draft.extension.ready
    for text in (test, ready.value if ready and ready.kind == "http" else ""):
        for match in patterns.PAIR.finditer(text):
            if match["host"] in LOOPBACK | WILDCARD:
                yield int(match["port"])
    if ready and ready.kind == "tcp":
        yield ready.value
    asks_peer = any(
        match["host"].lower() in names for match in patterns.HOST_FLAG.finditer(command)
    )
    for match in patterns.PORT_FLAG.finditer(command):
        if not asks_peer and re.match(r"--port$|--bind$|-b$", match["flag"]):
            yield int(match["port"])
    told = whole_number(draft.environment.get("PORT", ""))
    if told is not None and _valid(told):
        yield told


def _valid(port: int) -> bool:
    return 0 < port < 65536  # noqa: PLR2004 - the last port


def _port_settings(
    settings: Settings, drafts: Sequence[Draft]
) -> dict[str, int | Mapping[int, int] | None]:
    """What the settings say about the ports of services, under a name or its variable's."""
    by_variable: dict[str, int | Mapping[int, int]] = {}
    for name, value in settings.ports.items():
        by_variable.setdefault(variable_part(name), value)
    return {
        draft.name: settings.ports.get(draft.name, by_variable.get(variable_part(draft.name)))
        for draft in drafts
    }


def fixed_ports(
    settings: Settings,
    stack_file: StackFile,
    drafts: Sequence[Draft],
    targets: Mapping[str, Sequence[int]],
) -> dict[PortKey, HostPort]:
    """The ports that the settings, and after them the stack file, ask for.

    Args:
        settings: The settings.
        stack_file: The stack file, for the places of its keys.
        drafts: All services of the plan.
        targets: The container ports of each.

    Raises:
        ConfigError: If a setting names a service that has no port.
    """
    found: dict[PortKey, HostPort] = {}
    settled = _port_settings(settings, drafts)
    for draft in drafts:
        for index, port in enumerate(draft.service.ports):
            if port.protocol == "tcp" and port.published and port.published.isdecimal():
                key = f"services.{draft.name}.ports[{index}]"
                place = stack_file.location(key)
                origin = f"{place.source}:{place.line}" if place else "the stack file"
                written = HostPort(int(port.published), origin, key)
                found.setdefault((draft.name, port.target), written)
        wanted = settled[draft.name]
        if wanted is None:
            continue
        key = f"ports.{draft.name}"
        origin = settings.source(key)
        if isinstance(wanted, Mapping):
            for target, number in wanted.items():
                found[draft.name, target] = HostPort(number, origin, key)
        elif targets[draft.name]:
            found[draft.name, targets[draft.name][0]] = HostPort(wanted, origin, key)
        else:
            raise settings.refusal(
                ("ports", draft.name),
                f"{draft.name} is given port {wanted}, but it has no container port",
                remedy=f"name the container port: `{draft.name}: {{container port: {wanted}}}`",
            )
    return found


def refuse_shared_ports(ports: Mapping[PortKey, HostPort]) -> None:
    """Refuse a host port that two container ports would have.

    Raises:
        ConfigError: With both places.
    """
    taken: dict[int, tuple[PortKey, HostPort]] = {}
    for key, port in ports.items():
        if not port.number:
            continue  # decided when the stack is started
        if port.number in taken:
            (first, target), other = taken[port.number]
            raise ConfigError(
                f"{first} and {key[0]} would both use port {port.number} of this machine",
                source=port.origin,
                observed=f"{first} (container port {target}): {other.origin}\n"
                f"{key[0]} (container port {key[1]}): {port.origin}",
                remedy=f"give one of them another port, under `ports` of the stack config or by "
                f"STACKPROOF_PORT_{variable_part(key[0])}",
            )
        taken[port.number] = (key, port)


OF_LEFT_OUT = frozenset({"ports", "environment", "limits", "one_shots"})
"""Settings that a service may have which is left out: they wait for it to come back."""


def refuse_unknown_services(settings: Settings, known: Sequence[str]) -> None:
    """Refuse settings of services that the stack file does not have.

    Args:
        settings: The settings.
        known: All services of the stack file, whatever their profiles.

    Raises:
        ConfigError: With the place of the setting and a service that may be meant.
    """
    names, variables = set(known), {variable_part(name) for name in known}
    wanted: list[tuple[tuple[str, ...], str]] = [
        (("ports", name), name) for name in settings.ports if variable_part(name) not in variables
    ]
    wanted += [(("environment", name), name) for name in settings.environment]
    wanted += [(("limits", "services", name), name) for name in settings.service_limits]
    wanted += [(("migrate", "service"), command.service) for command in settings.migrate]
    wanted += [(("seed", "service"), command.service) for command in settings.seed]
    wanted += [(("isolation", "shared"), name) for name in settings.isolation.shared]
    wanted += [(("isolation", "cold"), name) for name in settings.isolation.cold]
    wanted += [(("one_shots",), name) for name in settings.one_shots]
    if settings.database:
        wanted.append((("database", "service"), settings.database.service))
    if settings.gateway_service:
        wanted.append((("gateway", "service"), settings.gateway_service))
    spared = {*settings.excluded, *(variable_part(name) for name in settings.excluded)}
    for path, name in wanted:
        if path[0] in OF_LEFT_OUT and not spared.isdisjoint({name, variable_part(name)}):
            continue
        if name not in names:
            what = f"the stack file has no service {name!r}"
            raise settings.refusal(path, what, remedy=did_you_mean(name, known))
