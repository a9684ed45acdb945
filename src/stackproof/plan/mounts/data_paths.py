"""Where the images of databases, brokers and caches keep their data.

Sources: `VOLUME` and the entrypoint of the official images and of Bitnami's, and their references.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

_DATA_PATHS: Mapping[str, Sequence[str]] = {
    "postgres postgresql pgvector timescaledb timescale postgis citus spilo supabase": (
        "/var/lib/postgresql", "/var/lib/pgsql", "/bitnami/postgresql", "/home/postgres/pgdata",
    ),
    "mysql mariadb percona": ("/var/lib/mysql", "/bitnami/mysql", "/bitnami/mariadb"),
    "mongo mongodb": ("/data/db", "/data/configdb", "/bitnami/mongodb"),
    "redis valkey keydb dragonfly redict": (
        "/data", "/var/lib/redis", "/var/lib/valkey", "/bitnami/redis", "/bitnami/valkey",
    ),
    "memcached": (),
    "rabbitmq": ("/var/lib/rabbitmq", "/bitnami/rabbitmq"),
    "elasticsearch": ("/usr/share/elasticsearch/data", "/bitnami/elasticsearch"),
    "opensearch": ("/usr/share/opensearch/data", "/bitnami/opensearch"),
    "kafka redpanda zookeeper": (
        "/var/lib/kafka", "/bitnami/kafka", "/tmp/kraft-combined-logs", "/tmp/kafka-logs",  # noqa: S108 - in the container
        "/var/lib/redpanda", "/var/lib/zookeeper", "/bitnami/zookeeper", "/data", "/datalog",
    ),
    "clickhouse": ("/var/lib/clickhouse", "/bitnami/clickhouse"),
    "minio": ("/data", "/export", "/bitnami/minio/data"),
    "nats": ("/data", "/nats", "/tmp/nats"),  # noqa: S108 - in the container
    "etcd": ("/etcd-data", "/var/lib/etcd", "/bitnami/etcd"),
    "cassandra scylla scylladb": ("/var/lib/cassandra", "/var/lib/scylla", "/bitnami/cassandra"),
    "neo4j": ("/data", "/var/lib/neo4j/data", "/bitnami/neo4j"),
    "influxdb": ("/var/lib/influxdb", "/var/lib/influxdb2", "/bitnami/influxdb"),
    "couchdb": ("/opt/couchdb/data", "/bitnami/couchdb"),
    "couchbase": ("/opt/couchbase/var",),
    "cockroach cockroachdb": ("/cockroach/cockroach-data",),
    "mssql": ("/var/opt/mssql",),
    "oracle": ("/opt/oracle/oradata",),
    "solr": ("/var/solr",),
    "meilisearch": ("/meili_data",),
    "qdrant": ("/qdrant/storage",),
    "weaviate": ("/var/lib/weaviate",),
    "milvus": ("/var/lib/milvus",),
    "chroma chromadb": ("/chroma/chroma", "/data"),
    "arangodb": ("/var/lib/arangodb3",),
    "rethinkdb surrealdb typesense": ("/data",),
    "questdb": ("/var/lib/questdb",),
    "pulsar": ("/pulsar/data",),
    "consul": ("/consul/data",),
}  # fmt: skip
"""Words of an image's name, to the paths that its data are at."""

_BY_WORD = {word: paths for words, paths in _DATA_PATHS.items() for word in words.split()}

_BESIDE = frozenset({
    "admin", "backup", "browser", "bouncer", "client", "commander", "connect", "console",
    "dashboards", "dump", "exporter", "express", "insight", "kibana", "mc", "migrate", "operator",
    "proxy", "rest", "ui", "web",
})  # fmt: skip
"""Words of images that work with a server and are none."""

_UNMISTAKABLE = tuple(
    path
    for paths in _DATA_PATHS.values()
    for path in paths
    if path.startswith(("/var/", "/bitnami/", "/usr/share/", "/opt/"))
)
"""Data paths that nothing else has, whatever the image is called."""

_VARIABLE = re.compile(
    r"(?:DATA_?DIR|DATA_PATH|DBPATH|MNESIA_BASE|MNESIA_DIR|LOG_DIRS|STORE_DIR|STORAGE_PATH)$",
    re.IGNORECASE,
)
_VARIABLES = frozenset({"PGDATA", "path.data", "MINIO_VOLUMES"})
_OPTIONS = frozenset({
    "D", "sd", "dir", "data", "datadir", "data-dir", "data_dir", "data_directory", "dbpath",
    "path.data", "Epath.data", "store_dir", "store-dir", "log.dirs", "directory", "server",
})  # fmt: skip
"""Options, and settings in arguments, whose value is a data folder."""


@dataclass(frozen=True)
class DataPaths:
    """Where a server keeps its data.

    Attributes:
        paths: Container paths; those of the image, then what environment and command name.
    """

    paths: tuple[str, ...]

    def touches(self, target: str) -> bool:
        """Whether a mount at a path holds data of the server: it is at, below or above them."""
        return any(_within(target, path) or _within(path, target) for path in self.paths)


def data_paths(
    images: Iterable[str], environment: Mapping[str, str], argv: Sequence[str]
) -> DataPaths | None:
    """The data paths of a server; None for what is no database, broker or cache.

    The image is recognised by the words of its name, behind any registry and in any namespace.

    Args:
        images: Its reference, and that of what it is built from.
        environment: Its environment.
        argv: Its command.
    """
    found = [paths for image in images if (paths := _of_image(image)) is not None]
    if not found:
        return None
    listed = [path for paths in found for path in paths]
    named = [*_named_by_variables(environment), *_named_by_arguments(argv)]
    return DataPaths(tuple(dict.fromkeys([*listed, *(posixpath.normpath(path) for path in named)])))


def is_unmistakable(target: str) -> bool:
    """Whether a path is the data path of some server, whatever image has it."""
    return any(_within(target, path) for path in _UNMISTAKABLE)


def _of_image(reference: str) -> Sequence[str] | None:
    path = reference.split("@", 1)[0]
    head, _, last = path.rpartition("/")
    words = re.split(r"[^a-z0-9]+", last.partition(":")[0].lower())
    if _BESIDE & set(words):
        return None
    namespace = re.split(r"[^a-z0-9]+", head.lower())[-1:]  # timescale/…, supabase/postgres
    for word in (*words, *namespace):
        if word in _BY_WORD:
            return _BY_WORD[word]
    return None


def _named_by_variables(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        if name in _VARIABLES or _VARIABLE.search(name):
            yield from (part for part in re.split(r"[,\s]+", value) if part.startswith("/"))


def _named_by_arguments(argv: Sequence[str]) -> Iterator[str]:
    words = [word for argument in argv for word in argument.split()]
    for word, following in zip(words, [*words[1:], ""], strict=False):
        option, equals, value = word.partition("=")
        if option.lstrip("-") in _OPTIONS:
            found = value if equals else following
            yield from (part for part in found.split(",") if part.startswith("/"))


def _within(path: str, folder: str) -> bool:
    return (path.rstrip("/") + "/").startswith(folder.rstrip("/") + "/")
