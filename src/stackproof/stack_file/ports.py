"""`ports:` and `expose:`, short and long form, ranges included.

Source: the Compose Specification, "ports" and "expose".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address

from stackproof.errors import ConfigError
from stackproof.stack_file.model import Port, Service
from stackproof.stack_file.reading.fields import Field
from stackproof.stack_file.reading.scalars import LONGEST_SHOWN, whole_number

HIGHEST = 65535
WIDEST = 1000
"""Ports in a range; a wider one is a mistake, and costs memory."""

_SHORT = re.compile(
    r"(?:(?:(?P<ip>\[[0-9a-fA-F:.]+\]|[0-9.]+):)?(?P<published>\d*(?:-\d+)?):)?"
    r"(?P<target>\d+(?:-\d+)?)(?:/(?P<protocol>\w*))?"
)


def distinct_ports(ports: Iterable[Port]) -> tuple[Port, ...]:
    """Each port once, in the place of the first and as the last that is the same.

    Source: compose-go, `override/uncity.go`: address, both numbers and the protocol say which.
    """
    found = {
        (port.host_ip or "0.0.0.0", port.published, port.target, port.protocol): port  # noqa: S104 - Docker's default
        for port in ports
    }
    return tuple(found.values())


def read_ports(field: Field) -> Iterator[Port]:
    """One entry of `ports:`, which a range makes several.

    Raises:
        ConfigError: If it is none.
    """
    if isinstance(field.value, dict):
        yield from _long(field)
    else:
        yield from _short(field, field.text())


def _short(field: Field, text: str) -> Iterator[Port]:
    match = _SHORT.fullmatch(text)
    if match is None:
        field.fail(
            f"{text!r} is not a port", remedy='write "8000", "18000:8000" or "127.0.0.1::80"'
        )
    host_ip = _address(field, match["ip"].strip("[]")) if match["ip"] else None
    yield from _expand(
        field,
        match["target"],
        match["published"] or None,
        {"host_ip": host_ip, "protocol": (match["protocol"] or "tcp").lower()},
    )


def _address(field: Field, text: str) -> str:
    try:
        ip_address(text)
    except ValueError:
        field.fail(f"{text!r} is not an address", remedy='write "127.0.0.1:18000:8000"')
    return text


def _long(field: Field) -> Iterator[Port]:
    parts = {name: part.text() for name, part in field.mapping().items() if name[:2] != "x-"}
    if not parts.get("target", "").isdecimal():
        field.fail("a port needs a target: one number", remedy="add target: 8000")
    optional = ("host_ip", "name", "app_protocol", "mode")
    rest: dict[str, str | None] = {name: parts[name] for name in optional if name in parts}
    rest["protocol"] = parts.get("protocol", "tcp")
    yield from _expand(field, parts["target"], parts.get("published") or None, rest)


def _expand(
    field: Field, target: str, published: str | None, rest: Mapping[str, str | None]
) -> Iterator[Port]:
    if rest["protocol"] not in {"tcp", "udp"}:
        field.fail(f"unknown protocol {rest['protocol']!r}", remedy="write tcp or udp")
    targets = _range(field, target)
    if targets[0] == 0:
        field.fail("a container has no port 0", remedy="write the port that it listens on")
    if published is None:
        hosts: list[str | None] = [None] * len(targets)
    else:
        numbers = _range(field, published)
        if len(targets) == 1 and len(numbers) > 1:
            hosts = [published]
        elif len(targets) == len(numbers):
            hosts = [str(number) for number in numbers]
        else:
            field.fail("the two port ranges differ in length", remedy="make them equally long")
    for number, host in zip(targets, hosts, strict=True):
        yield Port(target=number, published=host, **rest)  # type: ignore[arg-type] # checked above


def _range(field: Field, text: str) -> range:
    first, _, last = text.partition("-")
    lowest, highest = whole_number(first), whole_number(last or first)
    if lowest is None or highest is None:
        field.fail(f"{text[:LONGEST_SHOWN]!r} is not a port",
                   remedy="write a number from 0 to 65535")  # fmt: skip
    found = range(lowest, highest + 1)
    if not found or found[-1] > HIGHEST or len(found) > WIDEST:
        field.fail(f"{text!r} is not a port, or a range of up to {WIDEST}",
                   remedy=f"ports go up to {HIGHEST}")  # fmt: skip
    return found


def read_exposed(fields: Iterable[Field]) -> dict[str, tuple[int, ...]]:
    """`expose:` as container ports by protocol, each once.

    Raises:
        ConfigError: If an entry is no port.
    """
    found: dict[str, dict[int, None]] = {"tcp": {}, "udp": {}}
    for field in fields:
        text, _, protocol = field.text().partition("/")
        numbers = found.get(protocol.lower() or "tcp")
        if numbers is None:
            field.fail(f"unknown protocol {protocol!r}", remedy="write tcp or udp")
        numbers.update(dict.fromkeys(_range(field, text)))
    return {protocol: tuple(numbers) for protocol, numbers in found.items()}


def refuse_shared_ports(services: Mapping[str, Service], fields: Mapping[str, Field]) -> None:
    """Refuse two container ports that are published on the same port of the host.

    Raises:
        ConfigError: At the second one, naming the first.
    """
    taken: dict[tuple[str, str, str], str] = {}
    for name, service in services.items():
        seen: set[tuple[str, str, str]] = set()
        key: tuple[str, str, str]
        for port in service.ports:
            if port.published is None or "-" in port.published or port.published == "0":
                continue
            key = (port.host_ip or "0.0.0.0", port.published, port.protocol)  # noqa: S104 - Docker's default
            if key in seen or (key in taken and _together(services[taken[key]], service)):
                other = taken.get(key, name)
                where = fields[name].child("ports").node.where
                raise ConfigError(
                    f"port {port.published} is published twice, first by {other}",
                    source=where.source,
                    line=where.line,
                    key=f"services.{name}.ports",
                    remedy="give one of them another port",
                )
            seen.add(key)
        for key in seen:
            taken.setdefault(key, name)


def _together(service: Service, other: Service) -> bool:
    """Whether two services can run at the same time; profiles may keep them apart."""
    if not service.profiles or not other.profiles:
        return True
    return bool(set(service.profiles) & set(other.profiles))
