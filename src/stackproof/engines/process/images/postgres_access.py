"""PostgreSQL's rules of access for a server that is reached through its guard's Unix socket.

A guard passes on what came over TCP, so what pg_hba.conf says of connections over TCP on this
machine must hold for the socket, passwords included. Where that can't be said for certain, the
server has to listen itself.

Source: PostgreSQL documentation, "The pg_hba.conf File" and "Secure TCP/IP Connections with SSL".
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stackproof.engines.process.images.command import server_arguments
from stackproof.engines.process.images.unprivileged import (
    EVERYBODY,
    NO_GUARD,
    private_folder,
    write_private,
)
from stackproof.plan.model import ServicePlan
from stackproof.reaper.run_folder import RunFolder

SOCKETS = "/run/postgresql"
"""Where the official image has its Unix socket."""

LONGEST_SOCKET = 107
"""Bytes of a Unix socket's path that libpq takes (unix(7)); a longer one is reached over TCP."""

_FIELD = re.compile(r'(?:"[^"]*"|[^\s"#])+')
_ANY = frozenset({"all", "samehost", "samenet", "localhost"})
_LOCALHOST = ipaddress.ip_address("127.0.0.1")
_METHODS = frozenset({"trust", "reject", "md5", "password", "scram-sha-256"})
_ARGUMENT = re.compile(r"^(?:-c|--)?(?P<name>ssl|hba[_-]file|config[_-]file)=(?P<value>.*)$")
_SETTING = re.compile(
    r"^\s*(?P<name>ssl|hba_file|include\w*)\b\s*=?\s*'?(?P<value>[^'#\s]*)", re.MULTILINE
)
_OFF = frozenset({"off", "false", "no", "0", "f", "n"})


class CantBeGuardedError(Exception):
    """Why a server has to listen on TCP itself, in words."""


@dataclass(frozen=True)
class Access:
    """How a server is reached.

    Attributes:
        own: Settings of the server.
        host: What PGHOST is in the service's surroundings.
        socket: Its Unix socket, where it listens on that alone.
        notices: What a person should know.
        seen: Path in its room → folder of this machine.
    """

    own: tuple[tuple[str, str], ...]
    host: str
    socket: Path | None = None
    notices: tuple[str, ...] = ()
    seen: Mapping[str, Path] = field(default_factory=dict)


def access_of(service: ServicePlan, run: RunFolder, data: Path, uid: int | None) -> Access:
    """Let a server listen on a Unix socket in a private folder, or on its port where it must.

    Args:
        service: The service.
        run: Its run.
        data: Its data folder.
        uid: The user that the server runs as; None for the caller's.
    """
    endpoint = service.endpoints[0]
    arguments = server_arguments(service.argv, service.environment, ("postgres",))
    place = private_folder(run, service.name, uid)
    if service.world is not None:
        return _in_a_room(service, place)
    rules = place / "pg_hba.conf"
    port = ("port", str(endpoint.port))
    try:
        refuse_unguardable(arguments, data)
        written = (data / "pg_hba.conf").read_text(encoding="utf-8")
        write_private(rules, socket_rules(written), uid)
    except CantBeGuardedError as reason:
        own = (("listen_addresses", endpoint.host), port, ("unix_socket_directories", ""))
        return Access(own, endpoint.host, notices=(f"{EVERYBODY}: {reason}",))
    socket = place / f".s.PGSQL.{endpoint.port}"
    inside = os.path.relpath(place, data)  # short enough for an address, from the data folder
    guarded = (("listen_addresses", ""), port, ("unix_socket_directories", inside),
           ("hba_file", str(rules)))  # fmt: skip
    is_short = len(os.fsencode(socket)) <= LONGEST_SOCKET
    return Access(guarded, str(place) if is_short else endpoint.host, socket)


def _in_a_room(service: ServicePlan, place: Path) -> Access:
    """As in its container: everybody in its networks reaches its port, and has to log in."""
    host, port = service.listens
    own = (("listen_addresses", host), ("port", str(port)), ("unix_socket_directories", SOCKETS))
    return Access(own, SOCKETS, seen={SOCKETS: place})


def refuse_unguardable(arguments: Sequence[str], data: Path) -> None:
    """Refuse a guard where the server's settings need TCP itself.

    Args:
        arguments: The server's arguments in the stack file.
        data: Its data folder, whose files may say so too.

    Raises:
        CantBeGuardedError: If they do.
    """
    if NO_GUARD:
        raise CantBeGuardedError(NO_GUARD)
    found = [match.groups() for word in arguments if (match := _ARGUMENT.match(word))]
    found += [("ssl", "on") for word in arguments if word == "-l"]
    for name in ("postgresql.conf", "postgresql.auto.conf"):
        if (data / name).is_file():
            found += _SETTING.findall((data / name).read_text(encoding="utf-8", errors="replace"))
    for name, value in found:
        if name != "ssl":
            raise CantBeGuardedError(f"its settings have {name}, which says who may connect")
        if value.lower() not in _OFF:
            raise CantBeGuardedError("its settings have ssl, and TLS ends at the server itself")


def socket_rules(written: str) -> str:
    """The text of a pg_hba.conf in which the rules of TCP on this machine hold for the socket.

    Args:
        written: The pg_hba.conf of the server.

    Raises:
        CantBeGuardedError: If a rule can't be said of a socket.
    """
    lines = ["# Written by stackproof: the rules of TCP, for what the guard of the port lets in."]
    for number, line in enumerate(written.split("\n"), 1):
        try:
            lines += _translated(line.partition("#")[0])
        except (ValueError, IndexError):
            raise CantBeGuardedError(
                f"line {number} of its pg_hba.conf has no meaning for a Unix socket"
            ) from None
    return "\n".join([*lines, ""])


def _translated(line: str) -> Iterator[str]:
    kind, *rest = _FIELD.findall(line) or [""]
    if line.count('"') % 2 or line.rstrip().endswith("\\"):
        raise ValueError(line)
    if kind in {"", "local", "hostssl", "hostgssenc"}:
        return
    if kind not in {"host", "hostnossl", "hostnogssenc"}:
        raise ValueError(kind)
    database, user, address, *rest = rest
    if re.fullmatch(r"\d+\.\d+\.\d+\.\d+", address):
        address = f"{address}/{rest.pop(0)}"
    method, *options = rest
    if not _covers_this_machine(address):
        return
    if method not in _METHODS:
        raise ValueError(method)
    yield " ".join(("local", database, user, method, *options))


def _covers_this_machine(address: str) -> bool:
    if address in _ANY:
        return True
    if not re.match(r"[\d.]+/", address):
        return False  # IPv6, or a name of another machine
    return _LOCALHOST in ipaddress.ip_network(address, strict=False)
