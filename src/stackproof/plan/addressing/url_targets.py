"""Where one URL leads, by the reading of any library that takes such URLs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote

from stackproof.plan.addressing.connection_strings import read_connection_string
from stackproof.plan.addressing.connection_targets import connection_targets
from stackproof.plan.addressing.hosts import NO_PORT, is_unreadable, parse_port, plain_host
from stackproof.plan.addressing.schemes import Kind, holds_data, kind_of_scheme, scheme_port
from stackproof.plan.addressing.targets import DEFAULT_HOST, UNREADABLE, Target
from stackproof.plan.addressing.urls import Url, Written

_HOST_OPTIONS = ("host", "hostaddr", "server", "servername", "unix_socket")
_NAME_OPTIONS = ("dbname", "database", "databasename", "db")
_HOSTED = {"sqs": "sqs.amazonaws.com", "sns": "sns.amazonaws.com", "dynamodb": "amazonaws.com",
           "gcpubsub": "pubsub.googleapis.com", "pubsub": "pubsub.googleapis.com"}  # fmt: skip
"""Where clients of services go that are named by their scheme alone."""

IN_MEMORY = frozenset({"", ":memory:", "/:memory:", "memory"})
"""What stands in the place of a file where SQLite keeps its data in memory."""


def url_targets(url: Url, place: str, hint: Kind = "unknown") -> Iterator[Target]:
    """The places that one URL leads to, by any library's reading.

    Args:
        url: The URL.
        place: Where it stands.
        hint: What the variable's name speaks of, for schemes that tell nothing.
    """
    scheme = url.scheme.lower()
    kind = kind_of_scheme(scheme)
    if kind == "none":
        return
    options = _options(url)
    if kind == "sqlite":
        yield from _file_target(url, options, place)
        return
    if scheme == "unix" or (
        scheme.endswith(("+socket", "+unix", "-socket")) and not url.hosts[0].host
    ):
        socket = unquote(url.path.rstrip(")]},;"))
        yield Target(place, hint if scheme == "unix" else kind, socket, None, None,
                     f"{scheme}://{socket}")  # fmt: skip
        return
    if "odbc_connect" in options:
        inner = read_connection_string(options["odbc_connect"])
        if inner is not None:
            yield from connection_targets(inner, place, kind)
            return
    if url.has_user and not url.others and "@" in url.path and holds_data(kind):
        yield Target(place, kind, UNREADABLE, None, None, f"{scheme}://…")
        return
    names = _names(url, kind, options)
    for host, port in _places(url, kind, options):
        for name in names:
            shown = _shown(url, host, port, name)
            yield Target(place, kind, host, port, name, shown)


def _options(url: Url) -> dict[str, str]:
    """Options of a URL by their names in lower case, of `?a=b` and of JDBC's `;a=b`."""
    written = [*parse_qsl(url.query, keep_blank_values=True)] if url.query else []
    for part in url.path.split(";")[1:]:
        name, equals, value = part.partition("=")
        if equals:
            written.append((name.strip(), value.strip().strip("{}")))
    found: dict[str, str] = {}
    for name, value in written:
        key = name.lower()
        found[key] = f"{found[key]},{value}" if key in found else value
    return found


def _places(url: Url, kind: Kind, options: dict[str, str]) -> Iterator[tuple[str, int | None]]:
    """Hosts and ports: those of the authority, and those that options put in their place."""
    default = scheme_port(url.scheme)
    written = [place for host in (*url.hosts, *url.others) for place in _authority(host)]
    named = [path for path in written if path[0]]
    overrides = list(_overrides(options, default)) if kind not in {"web", "store"} else []
    if not named and not overrides and kind != "web":
        if url.scheme.lower() in _HOSTED:
            yield _HOSTED[url.scheme.lower()], 443
        elif holds_data(kind) and kind != "queue":
            port = next((port for _, port in written if port is not None), default)
            yield DEFAULT_HOST, port
    for host, port in named:
        if not is_unreadable(host):
            yield host, default if port is None else port
    yield from overrides


def _authority(host: Written) -> Iterator[tuple[str, int | None]]:
    """Host and port of one written host; MySQL's `address=(host=h)(port=1)` included."""
    if "(" in host.host or "=" in host.host:
        for part in (f"{host.host}:{host.port}" if host.port else host.host).split("host=")[1:]:
            yield plain_host(re.split(r"[(),:]", part, maxsplit=1)[0]), None
        return
    yield plain_host(host.host.partition("\\")[0]), parse_port(host.port)


def _overrides(options: dict[str, str], default: int | None) -> Iterator[tuple[str, int | None]]:
    ports = options.get("port", options.get("portnumber", "")).split(",")
    for key in _HOST_OPTIONS:
        for number, written in enumerate(options.get(key, "").split(",")):
            host, _, own = written.rpartition(":") if written.count(":") == 1 else (written, "", "")
            if host and not is_unreadable(host):
                port = parse_port(own or (ports[number] if number < len(ports) else ports[-1]))
                yield plain_host(host), default if port is None else port
    if options.get("service"):
        yield f"service={options['service']}", None


def _names(url: Url, kind: Kind, options: dict[str, str]) -> list[str | None]:
    """Names of the database that some library would open; [None] where none is told."""
    if kind not in {"postgresql", "mysql", "sqlserver", "mongodb"}:
        return [None]
    path = url.path.partition(";")[0].lstrip("/").rstrip(")]},")
    found = {unquote(text) for text in (path, path.partition("#")[0]) if text}
    found |= {options[key] for key in _NAME_OPTIONS if options.get(key)}
    if not found and kind == "postgresql" and url.user:
        found = {unquote(url.user)}  # libpq: the name of the user
    return [*sorted(found)] or [None]


def _shown(url: Url, host: str, port: int | None, name: str | None) -> str:
    user = "…@" if url.has_user else ""
    number = f":{port}" if port is not None and port != NO_PORT and host else ""
    shown = f"[{host}]" if ":" in host else host
    return f"{url.scheme}://{user}{shown}{number}" + (f"/{name}" if name else "")


def _file_target(url: Url, options: dict[str, str], place: str) -> Iterator[Target]:
    """The file of an SQLite URL: `sqlite:///relative`, `sqlite:////absolute`."""
    host = url.hosts[0].host if url.hosts else ""
    path = unquote(url.path.removeprefix("/") if not host else host + url.path)
    path = path.removeprefix("file:")
    if path in IN_MEMORY or options.get("mode") == "memory":
        return
    yield Target(place, "sqlite", path, None, None, f"{url.scheme}:///{path}")
