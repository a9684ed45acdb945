"""Where a connection string made of keywords leads."""

from __future__ import annotations

from collections.abc import Iterator

from stackproof.plan.addressing.connection_strings import ConnectionString
from stackproof.plan.addressing.hosts import is_unreadable, parse_port, plain_host
from stackproof.plan.addressing.schemes import Kind, kind_of_scheme, kind_port
from stackproof.plan.addressing.targets import Target

FILES_OF_SQLITE = (".sqlite", ".sqlite3", ".db", ".db3")


def connection_targets(string: ConnectionString, place: str, hint: Kind) -> Iterator[Target]:
    """Every place that a connection string leads to.

    Args:
        string: What it says.
        place: Where it stands.
        hint: What the variable's name speaks of, where the string tells no product.
    """
    kind: Kind = kind_of_scheme(string.scheme)
    if kind == "database" and hint != "unknown":
        kind = hint
    default = kind_port(kind)
    name = string.database or (string.user if kind == "postgresql" and string.user else None)
    if string.service:
        yield Target(place, "postgresql", f"service={string.service}", None, name,
                     f"service={string.service}")  # fmt: skip
    for written, number in string.hosts or (() if string.service else (("", ""),)):
        host, port = plain_host(written), parse_port(number)
        if host.endswith(FILES_OF_SQLITE) or host == ":memory:":
            if host != ":memory:":
                yield Target(place, "sqlite", written, None, None, f"Data Source={written}")
            continue
        if is_unreadable(host) or "://" in host:
            continue
        if host.count(":") == 1:
            host, _, own = host.partition(":")
            port = parse_port(own)
        shown = f"host={host}" + (f" dbname={name}" if name else "")
        yield Target(place, kind, host, default if port is None else port, name, shown)
