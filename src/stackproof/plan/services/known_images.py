"""Which images the process engine can run natively, recognised by their references."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from stackproof.readiness.probes import PostgresProbe, Probe, RedisProbe

_HOST = re.compile(r"[.:]|^localhost$")
_POSTGRES_TAG = re.compile(r"(?:^|-)pg(\d+)")
_MAJOR = re.compile(r"^v?(\d+)")


@dataclass(frozen=True)
class KnownImage:
    """An image that has a native runner.

    Attributes:
        name: `postgres`, `redis` or `valkey`.
        version: The major version that the tag names, or "" for any.
        port: Its container port.
        scheme: URL scheme of that port.
        volume: Container path that its data are at or below.
    """

    name: str
    version: str
    port: int
    scheme: str
    volume: str

    def probe(self, host: str, port: int, environment: Mapping[str, str]) -> Probe:
        """What shows that it is ready.

        Args:
            host: Address that it listens on.
            port: Port that it listens on.
            environment: Its environment, which names user and database.
        """
        if self.name == "postgres":
            user = environment.get("POSTGRES_USER") or "postgres"
            return PostgresProbe(host, port, user, environment.get("POSTGRES_DB") or user)
        return RedisProbe(host, port)


_REPOSITORIES: Mapping[str, KnownImage] = {
    "postgres": KnownImage("postgres", "", 5432, "postgresql", "/var/lib/postgresql"),
    "pgvector/pgvector": KnownImage("postgres", "", 5432, "postgresql", "/var/lib/postgresql"),
    "redis": KnownImage("redis", "", 6379, "redis", "/data"),
    "valkey/valkey": KnownImage("valkey", "", 6379, "redis", "/data"),
}

NATIVE = "postgres, pgvector/pgvector, redis and valkey/valkey"
"""The images that can be run natively, in words."""


def recognise(reference: str) -> KnownImage | None:
    """The known image that a reference means; None where it is none.

    The official image is recognised behind a registry host or mirror prefix, with or without
    `library/`, tag and digest. An image of the same name in somebody's own namespace is not, since
    it may have anything in it.

    Args:
        reference: An image reference, such as `docker.io/library/postgres:16-alpine`.
    """
    path = reference.split("@", 1)[0]
    head, _, last = path.rpartition("/")
    last, _, tag = last.partition(":")
    parts = [*(head.split("/") if head else []), last]
    for repository, known in _REPOSITORIES.items():
        names = repository.split("/")
        if parts[-len(names) :] == names and _is_mirror(parts[: -len(names)]):
            return KnownImage(
                known.name, _major(known.name, tag), known.port, known.scheme, known.volume
            )
    return None


def _is_mirror(prefix: list[str]) -> bool:
    return not prefix or prefix == ["library"] or bool(_HOST.search(prefix[0]))


def _major(name: str, tag: str) -> str:
    patterns = (_POSTGRES_TAG, _MAJOR) if name == "postgres" else (_MAJOR,)
    found = next((match for pattern in patterns if (match := pattern.search(tag))), None)
    return found[1] if found else ""
