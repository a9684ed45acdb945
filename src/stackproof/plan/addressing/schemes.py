"""What the schemes of URLs stand for: the kind of server, and the port that is meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Kind = Literal[
    "postgresql", "mysql", "sqlserver", "oracle", "mongodb", "database", "sqlite", "redis", "amqp",
    "kafka", "memcached", "search", "queue", "directory", "mail", "store", "web", "none", "unknown",
]  # fmt: skip
"""`database` is one whose product is not known; `none` is what leads to no server at all."""

NAMED: frozenset[Kind] = frozenset({"postgresql", "mysql", "sqlserver", "mongodb", "database"})
"""Kinds whose databases have names that say whether they may be lost."""

_NO_DATA: frozenset[Kind] = frozenset({"web", "none", "unknown", "store", "sqlite"})

_KINDS: Mapping[Kind, str] = {
    "postgresql": "postgresql postgres psql pgsql postgis timescale timescaledb timescalegis "
    "cockroachdb cockroach crdb redshift pg ecto psycopg psycopg2 asyncpg yugabytedb",
    "mysql": "mysql mysql2 mariadb mysqlgis mysqlx mysqldb pymysql aiomysql tidb trilogy "
    "mysql-connector mysqlconnector percona",
    "sqlserver": "mssql sqlserver mssqlms sqlsrv azuresql",
    "oracle": "oracle oraclegis oracledb",
    "mongodb": "mongodb mongo",
    "database": "clickhouse clickhouses clickhousedb cassandra scylla couchbase couchbases couchdb "
    "influxdb neo4j neo4js bolt bolts neptune surrealdb rethinkdb arangodb db2 ibm_db_sa firebird "
    "hive trino presto snowflake bigquery databricks vertica exasol hana iotdb questdb odbc "
    "etcd etcd3 zk zookeeper consul dynamodb libsql turso spanner teradata sap crate",
    "sqlite": "sqlite sqlite3 spatialite sqlcipher pysqlite aiosqlite litestream file-sqlite",
    "redis": "redis rediss redis-socket valkey valkeys keydb dragonfly sentinel rediscache "
    "redis-sentinel",
    "amqp": "amqp amqps pyamqp librabbitmq rabbitmq stomp stomps mqtt mqtts nats tls-nats "
    "pulsar ibmmq qpid activemq artemis",
    "kafka": "kafka confluentkafka kafkas",
    "memcached": "memcached memcache pymemcache pymemcached pylibmc djangopylibmc mcrouter "
    "elasticache",
    "search": "elasticsearch elasticsearch2 elasticsearch5 elasticsearch7 opensearch solr "
    "meilisearch typesense",
    "queue": "sqs azurestoragequeues azureservicebus sb gcpubsub pubsub slmq sns",
    "directory": "ldap ldaps ldapi",
    "mail": "smtp smtps smtp+tls smtp+ssl submission imap imaps pop3 pop3s",
    "store": "s3 s3a s3n gs gcs az abfs abfss wasb wasbs azure minio r2 b2 oss cos swift "
    "dropbox gdrive",
    "web": "http https ws wss grpc grpcs otlp h2c",
    "none": "file filesystem memory mem inmemory rpc rest locmem locmemcache dummy dummycache "
    "dbcache filecache console consolemail filemail memorymail dummymail django-db django-cache "
    "cache-memory data about blob javascript env vault secret secrets ssm op arn urn tag mailto "
    "tel chrome-extension moz-extension vscode capacitor app asset git svn hg docker docker-image "
    "docker-archive oci oci-archive containers-storage image pkg npm pypi package module python "
    "class classpath resource res jar view test mock null stdout stderr stdin syslog-local "
    "config doi info xmpp about chrome resource internal unix-abstract fd otpauth spdx cid",
}
_KIND_OF: Mapping[str, Kind] = {
    scheme: kind for kind, schemes in _KINDS.items() for scheme in schemes.split()
}

DEFAULT_PORTS: Mapping[str, int] = {
    "amqp": 5672,
    "amqps": 5671,
    "cassandra": 9042,
    "clickhouse": 9000,
    "elasticsearch": 9200,
    "etcd": 2379,
    "grpc": 443,
    "http": 80,
    "https": 443,
    "kafka": 9092,
    "ldap": 389,
    "ldaps": 636,
    "mariadb": 3306,
    "memcached": 11211,
    "mongo": 27017,
    "mongodb": 27017,
    "mqtt": 1883,
    "mssql": 1433,
    "mysql": 3306,
    "nats": 4222,
    "neo4j": 7687,
    "opensearch": 9200,
    "oracle": 1521,
    "postgis": 5432,
    "postgres": 5432,
    "postgresql": 5432,
    "pyamqp": 5672,
    "redis": 6379,
    "rediss": 6379,
    "sentinel": 26379,
    "smtp": 25,
    "sqlserver": 1433,
    "valkey": 6379,
    "valkeys": 6379,
    "ws": 80,
    "wss": 443,
}
"""The port that a URL of a scheme means when it names none."""

_PORT_OF_KIND: Mapping[Kind, int] = {
    "postgresql": 5432,
    "mysql": 3306,
    "sqlserver": 1433,
    "oracle": 1521,
    "mongodb": 27017,
    "redis": 6379,
    "amqp": 5672,
    "kafka": 9092,
    "memcached": 11211,
    "search": 9200,
    "directory": 389,
    "mail": 25,
}
_KIND_OF_PORT: Mapping[int, Kind] = {
    **{port: kind for kind, port in _PORT_OF_KIND.items()},
    5671: "amqp",
    1883: "amqp",
    4222: "amqp",
    9042: "database",
    26379: "redis",
    27018: "mongodb",
    33060: "mysql",
    6432: "postgresql",
}

_WORDS: Mapping[Kind, str] = {
    "postgresql": "PG POSTGRES POSTGRESQL PSQL PGSQL POSTGIS PGBOUNCER TIMESCALE COCKROACH",
    "mysql": "MYSQL MARIADB",
    "sqlserver": "MSSQL SQLSERVER",
    "oracle": "ORACLE",
    "mongodb": "MONGO MONGODB",
    "database": "DB DATABASE SQL RDS CLICKHOUSE CASSANDRA INFLUXDB NEO4J ETCD",
    "redis": "REDIS VALKEY",
    "amqp": "AMQP RABBITMQ RABBIT BROKER NATS MQTT",
    "kafka": "KAFKA BOOTSTRAP BROKERS",
    "memcached": "MEMCACHED MEMCACHE",
    "search": "ELASTICSEARCH ELASTIC OPENSEARCH ES",
    "directory": "LDAP",
    "mail": "SMTP EMAIL MAIL",
}
_KIND_OF_WORD: Mapping[str, Kind] = {
    word: kind for kind, words in _WORDS.items() for word in words.split()
}


def holds_data(kind: Kind) -> bool:
    """Whether a server of a kind keeps data, so that one on this machine may be a developer's."""
    return kind not in _NO_DATA


def kind_of_scheme(scheme: str) -> Kind:
    """The kind of server that a URL's scheme stands for; drivers such as `+psycopg` don't count."""
    lower = scheme.lower()
    known = [_KIND_OF[part] for part in (lower, *lower.split("+")) if part in _KIND_OF]
    return known[0] if known else "unknown"


def kind_of_port(port: int | None) -> Kind:
    """The kind of server that usually has a port."""
    return "unknown" if port is None else _KIND_OF_PORT.get(port, "unknown")


def kind_of_name(name: str) -> Kind:
    """The kind of server that a variable's name speaks of, such as that of `SHOP_REDIS_HOST`."""
    found = [kind for word in name.upper().split("_") if (kind := _KIND_OF_WORD.get(word))]
    exact = [kind for kind in found if kind != "database"]
    return exact[-1] if exact else found[-1] if found else "unknown"


def scheme_port(scheme: str) -> int | None:
    """The default port of a URL scheme, drivers such as `+psycopg` left out."""
    lower = scheme.lower()
    found = [DEFAULT_PORTS[part] for part in (lower, *lower.split("+")) if part in DEFAULT_PORTS]
    return found[0] if found else _PORT_OF_KIND.get(kind_of_scheme(lower))


def kind_port(kind: Kind) -> int | None:
    """The default port of a kind of server."""
    return _PORT_OF_KIND.get(kind)
