"""Which images the process engine can run natively, recognised by their references."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from stackproof.readiness.probes import PostgresProbe, Probe, RedisProbe, TcpProbe
from stackproof.settings.native import NativeProgram

_HOST = re.compile(r"[.:]|^localhost$")
_POSTGRES_TAG = re.compile(r"(?:^|-)pg(\d+)")
_MAJOR = re.compile(r"^v?(\d+)")
_MINOR = re.compile(r"^v?(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class KnownImage:
    """An image that has a native runner.

    Attributes:
        name: What runs it: `postgres`, `rabbitmq`, `redis`, `valkey`, `mariadb`, `mysql`, `nginx`,
            `memcached`, `caddy`, `traefik` or `nats`.
        version: The version that the tag names, or "" for any: the major part, of RabbitMQ the
            minor part as well.
        port: Its container port.
        scheme: URL scheme of that port.
        volume: Container path that its data are at or below; empty where it keeps none.
        variant: What the tag says after the version, such as `management`.
        internal: Further container ports that only its own programs ask.
        has_files: Whether the image's own files, and those that a Dockerfile adds, are laid out for
            it; that needs a private world.
        native: The program that a stack config names for it; None for those listed here.
    """

    name: str
    version: str
    port: int
    scheme: str
    volume: str
    variant: str = ""
    internal: tuple[int, ...] = ()
    has_files: bool = False
    native: NativeProgram | None = None

    def keeps(self, path: str) -> bool:
        """Whether its data are at a container path, or around it.

        Args:
            path: Absolute path in the container.
        """
        return bool(self.volume) and PurePosixPath(path).is_relative_to(self.volume)

    def probe(self, host: str, port: int, environment: Mapping[str, str]) -> Probe:
        """What shows that it is ready.

        Args:
            host: Address that it listens on.
            port: Port that it listens on.
            environment: Its environment, which names user and database.
        """
        if self.name == "postgres":
            user = environment.get("POSTGRES_USER") or POSTGRES_DEFAULT
            return PostgresProbe(host, port, user, database_of(environment))
        if self.scheme == "redis":
            return RedisProbe(host, port)
        # RabbitMQ listens when it has started; it logs a warning for each handshake that is left.
        return TcpProbe(host, port)


KNOWN_IMAGES: Mapping[str, KnownImage] = {
    "postgres": KnownImage("postgres", "", 5432, "postgresql", "/var/lib/postgresql"),
    "pgvector/pgvector": KnownImage("postgres", "", 5432, "postgresql", "/var/lib/postgresql"),
    "rabbitmq": KnownImage("rabbitmq", "", 5672, "amqp", "/var/lib/rabbitmq", internal=(25672,)),
    "redis": KnownImage("redis", "", 6379, "redis", "/data"),
    "valkey/valkey": KnownImage("valkey", "", 6379, "redis", "/data"),
    "nginx": KnownImage("nginx", "", 80, "http", "", has_files=True),
    "nginxinc/nginx-unprivileged": KnownImage("nginx", "", 8080, "http", "", has_files=True),
    "memcached": KnownImage("memcached", "", 11211, "tcp", ""),
    "mariadb": KnownImage("mariadb", "", 3306, "mysql", "/var/lib/mysql", has_files=True),
    "mysql": KnownImage("mysql", "", 3306, "mysql", "/var/lib/mysql", has_files=True),
    "caddy": KnownImage("caddy", "", 80, "http", "", has_files=True),
    "traefik": KnownImage("traefik", "", 80, "http", "", has_files=True),
    "nats": KnownImage("nats", "", 4222, "nats", "", has_files=True),
}
"""The images that the process engine runs natively, by their repositories."""

_ANYWHERE = [name for name, known in KNOWN_IMAGES.items() if not known.has_files]
_IN_ROOMS = [name for name, known in KNOWN_IMAGES.items() if known.has_files]
NATIVE = f"{', '.join(_ANYWHERE)}; in a private world {', '.join(_IN_ROOMS)} as well"
"""The images that can be run natively, in words."""


POSTGRES_DEFAULT = "postgres"
"""Database and user that the official image makes where its variables name none."""


def database_of(environment: Mapping[str, str]) -> str:
    """The database that the official image of PostgreSQL makes."""
    return environment.get("POSTGRES_DB") or environment.get("POSTGRES_USER") or POSTGRES_DEFAULT


def recognise(reference: str, own: Mapping[str, NativeProgram] | None = None) -> KnownImage | None:
    """The known image that a reference means; None where it is none.

    The official image is recognised behind a registry host or mirror prefix, with or without
    `library/`, tag and digest. An image of the same name in somebody's own namespace is not, since
    it may have anything in it.

    Args:
        reference: An image reference, such as `docker.io/library/postgres:16-alpine`.
        own: The programs that a stack config names for images, which come first.
    """
    path = reference.split("@", 1)[0]
    head, _, last = path.rpartition("/")
    last, _, tag = last.partition(":")
    parts = [*(head.split("/") if head else []), last]
    for repository, known in (*_named(own or {}), *KNOWN_IMAGES.items()):
        names = repository.split("/")
        if parts[-len(names) :] == names and _is_mirror(parts[: -len(names)]):
            version = _version(known.name, tag)
            return replace(known, version=version, variant=tag.partition("-")[2])
    return None


def _named(own: Mapping[str, NativeProgram]) -> Iterator[tuple[str, KnownImage]]:
    for repository, one in own.items():
        known = KnownImage(one.program, "", one.port, one.scheme, "", has_files=True, native=one)
        yield repository, known


def _is_mirror(prefix: list[str]) -> bool:
    return not prefix or prefix == ["library"] or bool(_HOST.search(prefix[0]))


def _version(name: str, tag: str) -> str:
    patterns = {"postgres": (_POSTGRES_TAG, _MAJOR), "redis": (_MAJOR,), "valkey": (_MAJOR,)}.get(
        name, (_MINOR,)
    )
    found = next((match for pattern in patterns if (match := pattern.search(tag))), None)
    return found[1] if found else ""


NO_SOURCE = {
    "redis-stack": "the modules of Redis Stack (search, JSON, …) are in no package or wheel",
    "mongo": "MongoDB's server is in no package of Debian, PyPI or npm",
    "minio": "MinIO's server is in no package of Debian, PyPI or npm",
}


def why_unknown(reference: str) -> str:
    """Why a well-known image can't be run natively; empty where nothing is known of it.

    Args:
        reference: An image reference.
    """
    last = reference.split("@", 1)[0].rpartition("/")[2].partition(":")[0]
    return next((why for name, why in NO_SOURCE.items() if last in {name, f"{name}-server"}), "")
