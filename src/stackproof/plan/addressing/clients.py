"""Client programs of databases and stores, and how each is told its server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from stackproof.plan.addressing.schemes import Kind


@dataclass(frozen=True)
class Client:
    """How a client program is told its server.

    Attributes:
        kind: Of the server.
        host: Options that name the host.
        port: Options that name the port.
        name: Options that name the database.
        position: Which argument without a dash names the database or the server's address; None
            for none.
    """

    kind: Kind
    host: tuple[str, ...] = ("-h", "--host")
    port: tuple[str, ...] = ("-p", "--port")
    name: tuple[str, ...] = ()
    position: int | None = None


_POSTGRES = Client("postgresql", name=("-d", "--dbname"), position=0)
_MYSQL = Client("mysql", port=("-P", "--port"), name=("-D", "--database"), position=0)
_REDIS = Client("redis")
_MONGO = Client("mongodb", name=("-d", "--db"), position=0)
CLIENTS: Mapping[str, Client] = {
    **dict.fromkeys(("psql", "pg_dump", "pgbench", "pgcli", "createdb", "dropdb"), _POSTGRES),
    **dict.fromkeys(
        ("pg_restore", "pg_isready", "vacuumdb", "reindexdb", "pg_dumpall", "createuser"),
        replace(_POSTGRES, position=None),
    ),
    **dict.fromkeys(("mysql", "mariadb", "mysqldump", "mariadb-dump"), _MYSQL),
    **dict.fromkeys(("mysqladmin", "mariadb-admin"), replace(_MYSQL, position=None)),
    **dict.fromkeys(("redis-cli", "valkey-cli"), _REDIS),
    **dict.fromkeys(("mongosh", "mongo"), _MONGO),
    **dict.fromkeys(("mongodump", "mongorestore"), replace(_MONGO, position=None)),
    "sqlcmd": Client("sqlserver", host=("-S",), port=(), name=("-d",)),
    "clickhouse-client": Client("database"),
}
_WITHOUT_VALUE = frozenset("-q -A -t -X -x -v0 -w -W -a -e -E -s -n -N -B -f1 -1 -At -Xq".split())


def client_arguments(
    client: Client, words: Sequence[str]
) -> tuple[str | None, str | None, str | None, str | None]:
    """Host, port and database that the options name, and the argument that could be an address."""
    found, free = _parsed(client, words)
    position = client.position
    free_word = free[position] if position is not None and len(free) > position else None
    given = found.get("name")
    address = given if given and _is_address(given) else free_word
    name = given if given and not _is_address(given) else None
    if name is None and free_word is not None and not _is_address(free_word):
        name = free_word
    return found.get("host"), found.get("port"), name, address


def _parsed(client: Client, words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The values of the options that name a server, and the words that belong to no option."""
    meanings = {
        option: meaning
        for meaning in ("host", "port", "name")
        for option in getattr(client, meaning)
    }
    found: dict[str, str] = {}
    free: list[str] = []
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if word in meanings:
            found[meanings[word]] = next(rest, "")
        elif equals and option in meanings:
            found[meanings[option]] = value
        elif word[:2] in meanings:  # -hdb
            found[meanings[word[:2]]] = word[2:]
        elif not word.startswith("-"):
            free.append(word)
        elif len(word) == len("-x") and word not in _WITHOUT_VALUE:
            next(rest, None)
    return found, free


def _is_address(word: str) -> bool:
    return "://" in word or "=" in word
