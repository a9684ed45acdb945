"""Where an environment leads: its values, and variables that name a host, a port and a database."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from stackproof.plan.addressing.hosts import is_host, parse_port, plain_host, read_pair
from stackproof.plan.addressing.schemes import (
    NAMED,
    Kind,
    holds_data,
    kind_of_name,
    kind_of_port,
    kind_of_scheme,
    kind_port,
)
from stackproof.plan.addressing.targets import DEFAULT_HOST, Target
from stackproof.plan.addressing.values import bare, text_targets

_HOST_ENDINGS = ("HOSTNAMES", "HOSTNAME", "HOSTS", "HOSTADDR", "HOST", "SERVERS", "SERVER", "ADDRS",
                 "ADDR", "ADDRESSES", "ADDRESS", "ENDPOINTS", "ENDPOINT", "NODES", "BROKERS",
                 "BROKER")  # fmt: skip
_NAME_ENDINGS = ("NAME", "DB", "DATABASE", "DBNAME", "DATABASE_NAME", "DB_NAME", "INITDB_DATABASE")
_ENGINE_ENDINGS = ("ENGINE", "DRIVER", "DIALECT", "CLIENT", "CONNECTION", "ADAPTER", "TYPE",
                   "SCHEME")  # fmt: skip
_OPTIONS_ENDINGS = ("ARGS", "OPTS", "OPTIONS", "FLAGS", "CMD", "COMMAND")

_TOLD_TO_OTHERS = frozenset(
    "CORS ORIGIN ORIGINS ALLOWED ALLOW TRUSTED REDIRECT CALLBACK PUBLIC AUDIENCE NAMESPACE XMLNS "
    "VIRTUAL LETSENCRYPT REFERER REFERRER AGENT DOCS HOMEPAGE CANONICAL COOKIE NO SCHEMA CONTEXT "
    "REGISTRY INDEX GOPROXY IMAGE TAG VERSION COPYRIGHT LICENSE TERMS PRIVACY SUPPORT HELP "
    "VHOST VHOSTS ADVERTISED ADVERTISE EXTERNAL WHITELIST ALLOWLIST BIND LISTEN COMMIT".split()
)
"""Words of variables whose values are told to others, or compared, rather than connected to."""

_FILE_WORDS = frozenset({"DB", "DATABASE", "SQLITE"})
_FILES = (".sqlite", ".sqlite3", ".db", ".db3")
_DEEPEST = 20

_LIBPQ = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE", "PGSERVICEFILE",
          "PGSYSCONFDIR")  # fmt: skip


def environment_targets(environment: Mapping[str, str]) -> Iterator[Target]:
    """Every place that the variables of a service lead to.

    Args:
        environment: The variables.
    """
    yield from _libpq_targets(environment)
    partners = {name.upper(): value for name, value in environment.items()}
    for name, value in environment.items():
        if name in _LIBPQ:
            continue
        text = bare(value)
        if text:
            yield from _one(name, text, partners)


def _one(name: str, text: str, partners: Mapping[str, str]) -> Iterator[Target]:
    kind = kind_of_name(name)
    is_told = is_told_to_others(name)
    if text[0] in "{[" and (inside := _parsed(text)) is not None:
        yield from _inside(inside, name, 0)
        return
    if not is_told and (found := list(_host_targets(name, text, partners))):
        yield from found
        return
    if _words(name) & _FILE_WORDS and _is_file(text.lower()):
        yield Target(name, "sqlite", text, None, None, text)
        return
    is_command = name.upper().endswith(_OPTIONS_ENDINGS)
    for target in text_targets(text, name, kind, is_command=is_command):
        if holds_data(target.kind) or target.kind == "sqlite" or not is_told:
            yield target


def _is_file(lower: str) -> bool:
    has_scheme = lower.startswith(("jdbc:", "sqlite", "file:", "data source"))
    return lower.endswith(_FILES) and "://" not in lower and not has_scheme


def _words(name: str) -> frozenset[str]:
    return frozenset(name.upper().replace("-", "_").replace(".", "_").split("_"))


def is_told_to_others(name: str) -> bool:
    """Whether a variable's value is what others are told, such as allowed origins."""
    words = _words(name)
    return bool(words & _TOLD_TO_OTHERS) or "$" in name or "@" in name


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _inside(value: Any, place: str, depth: int) -> Iterator[Target]:
    """What JSON leads to; a mapping is read like an environment, as Django's DATABASES are."""
    if depth > _DEEPEST:
        return
    if isinstance(value, Mapping):
        texts = {str(key): str(item) for key, item in value.items() if isinstance(item, str | int)}
        for target in environment_targets(_with_engine(texts, place)):
            yield Target(place, target.kind, target.host, target.port, target.database,
                         target.shown)  # fmt: skip
        for item in value.values():
            yield from _inside(item, place, depth + 1) if isinstance(item, dict | list) else ()
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, str):
                yield from (
                    target
                    for target in text_targets(bare(item), place, kind_of_name(place))
                    if holds_data(target.kind) or not is_told_to_others(place)
                )
            else:
                yield from _inside(item, place, depth + 1)


def _with_engine(texts: Mapping[str, str], place: str) -> Mapping[str, str]:
    """Keys such as HOST with the word that tells of what: Django's ENGINE, or the variable's own.

    A bare HOST means nothing by itself in an environment, but does beside ENGINE or NAME.
    """
    lower = {key.lower(): key for key in texts}
    if not ({"host", "hostname", "server"} & lower.keys()):
        return texts
    kind = kind_of_name(place)
    is_database = {"engine", "name", "dbname", "database", "user", "port"} & lower.keys()
    if not is_database and not holds_data(kind):
        return texts
    prefix = place.upper() if holds_data(kind) else "DB"
    return {f"{prefix}_{key.upper()}" if "://" not in key else key: texts[key] for key in texts}


def _libpq_targets(environment: Mapping[str, str]) -> Iterator[Target]:
    """What libpq takes from the environment.

    Source: PostgreSQL documentation, "Environment Variables" of libpq.
    """
    given = {name: bare(environment[name]) for name in _LIBPQ if environment.get(name)}
    if not given:
        return
    name = given.get("PGDATABASE") or given.get("PGUSER")
    ports = given.get("PGPORT", "").split(",")
    for variable in ("PGHOST", "PGHOSTADDR"):
        for number, written in enumerate(given.get(variable, "").split(",")):
            if variable in given:
                port = parse_port(ports[number] if number < len(ports) else ports[-1])
                yield Target(variable, "postgresql", plain_host(written),
                             5432 if port is None else port, name, written)  # fmt: skip
    if "PGSERVICE" in given:
        service = f"service={given['PGSERVICE']}"
        yield Target("PGSERVICE", "postgresql", service, None, name, service)
    for variable in ("PGSERVICEFILE", "PGSYSCONFDIR"):
        if variable in given:
            yield Target(variable, "postgresql", given[variable], None, None, given[variable])
    if not {"PGHOST", "PGHOSTADDR", "PGSERVICE"} & given.keys() and name is not None:
        variable = "PGDATABASE" if "PGDATABASE" in given else "PGUSER"
        port = parse_port(ports[0])
        yield Target(variable, "postgresql", DEFAULT_HOST, 5432 if port is None else port, name,
                     f"database {name} on the default server")  # fmt: skip


def _host_targets(name: str, text: str, partners: Mapping[str, str]) -> Iterator[Target]:
    """What `<X>_HOST`, with `<X>_PORT` and `<X>_NAME` beside it, leads to."""
    prefix = _prefix(name)
    if prefix is None:
        return
    kind = _kind_of(prefix, name, partners)
    port = parse_port(bare(partners.get(f"{prefix}PORT", "")))
    database = _database(prefix, partners) if kind in NAMED else None
    for member in text.replace(";", ",").split(","):
        pair = read_pair(member)
        host, own = pair or (plain_host(member), None)
        if not (is_host(host) or host.startswith("/")) or ("/" in host[1:] and host[0] != "/"):
            return
        number = own if own is not None else port
        found = kind if holds_data(kind) else kind_of_port(number)
        is_vague = number is None or name.upper().endswith(("SERVER", "ADDRESS", "ADDR"))
        if not holds_data(found) and is_vague and not _is_full_name(host):
            continue
        default = kind_port(found) if number is None else number
        yield Target(name, found, host, default, database, f"{name}={member.strip()}")


def _prefix(name: str) -> str | None:
    """What stands before HOST and its like; None where there is nothing, or no such end."""
    upper = name.upper()
    ending = next((known for known in _HOST_ENDINGS if upper.endswith(known)), None)
    if ending is None or upper == ending:
        return None
    return upper[: -len(ending)]


def _kind_of(prefix: str, name: str, partners: Mapping[str, str]) -> Kind:
    kind = kind_of_name(f"{prefix.rstrip('_')}_{name}")
    if kind in {"unknown", "database"}:
        for ending in _ENGINE_ENDINGS:
            engine = bare(partners.get(prefix + ending, "")).lower().rpartition(".")[2]
            if engine and (told := kind_of_scheme(engine)) not in {"unknown", "none"}:
                return told
    return kind


def _database(prefix: str, partners: Mapping[str, str]) -> str | None:
    for ending in _NAME_ENDINGS:
        found = bare(partners.get(prefix + ending, ""))
        if found:
            return found
    return None


def _is_full_name(host: str) -> bool:
    return "." in host or ":" in host or host.startswith("/") or host == "localhost"
