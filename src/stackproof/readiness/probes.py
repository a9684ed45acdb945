"""What it means for a service to be ready: probes as plain values.

A probe says what to ask; the engine that runs the service asks it. Only the standard library is
imported here, since the supervisor of the process engine loads this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias


class _Described:
    """A probe's words are made of its fields."""

    words: ClassVar[str]

    def __str__(self) -> str:
        return self.words.format(**vars(self))


@dataclass(frozen=True)
class TcpProbe(_Described):
    """Ready when a TCP connection is accepted."""

    words = "TCP connect to {host}:{port}"
    host: str
    port: int


@dataclass(frozen=True)
class HttpProbe(_Described):
    """Ready when a GET answers with a status below 400."""

    words = "GET {url}"
    url: str


@dataclass(frozen=True)
class PostgresProbe(_Described):
    """Ready when a PostgreSQL server takes a startup packet and asks for authentication.

    Source: PostgreSQL documentation, "Message Formats", StartupMessage and ErrorResponse; a server
    that is still starting answers with an error of SQLSTATE 57P03.
    """

    words = "PostgreSQL startup at {host}:{port} for {user}@{database}"
    host: str
    port: int
    user: str
    database: str


@dataclass(frozen=True)
class RedisProbe(_Described):
    """Ready when a Redis server answers PING with PONG (or asks for a password).

    Source: Redis documentation, "RESP protocol specification"; a server that is still loading
    answers with an error that begins with LOADING.
    """

    words = "Redis PING at {host}:{port}"
    host: str
    port: int


@dataclass(frozen=True)
class AmqpProbe(_Described):
    """Ready when an AMQP broker takes a protocol header and offers to begin a connection.

    Source: AMQP 0-9-1 specification, 4.2.2 "Protocol Header" and 2.2.4 "connection.start"; a broker
    listens only when it has started.
    """

    words = "AMQP handshake at {host}:{port}"
    host: str
    port: int


@dataclass(frozen=True)
class CommandProbe:
    """Ready when a command, run in the service's own environment, exits with status 0."""

    argv: tuple[str, ...]

    def __str__(self) -> str:
        return "command " + " ".join(self.argv)


@dataclass(frozen=True)
class SqlProbe(_Described):
    """Ready when a query gives a row that does not begin with false, 0 or null.

    Attributes:
        sql: The query.
        service: The database service, in whose surroundings it is asked.
        argv: The command that asks it, which writes a row a line, its columns separated by `|`.
    """

    words = "query {sql!r} in {service}"
    sql: str
    service: str
    argv: tuple[str, ...]


@dataclass(frozen=True)
class LogProbe(_Described):
    """Ready when the service has written a line that a regular expression is found in."""

    words = "log line /{pattern}/"
    pattern: str


@dataclass(frozen=True)
class AliveProbe(_Described):
    """Ready when the process has been alive for some seconds."""

    words = "alive for {seconds:g} s"
    seconds: float


@dataclass(frozen=True)
class ListeningProbe:
    """Ready when the service listens on one of some TCP ports, where others can reach it."""

    ports: tuple[int, ...]

    def __str__(self) -> str:
        return "listens on port " + " or ".join(map(str, self.ports))


@dataclass(frozen=True)
class AllProbes:
    """Ready when every one of several probes has been answered well."""

    probes: tuple[Probe, ...]

    def __str__(self) -> str:
        return " and ".join(str(probe) for probe in self.probes)


Probe: TypeAlias = (
    TcpProbe
    | HttpProbe
    | PostgresProbe
    | RedisProbe
    | AmqpProbe
    | CommandProbe
    | SqlProbe
    | LogProbe
    | AliveProbe
    | ListeningProbe
    | AllProbes
)


def parts_of(probe: Probe) -> tuple[Probe, ...]:
    """The probes that a probe consists of; itself where it is a plain one."""
    if not isinstance(probe, AllProbes):
        return (probe,)
    return tuple(part for inner in probe.probes for part in parts_of(inner))


_KINDS: dict[str, type[Any]] = {
    "tcp": TcpProbe,
    "http": HttpProbe,
    "postgres": PostgresProbe,
    "redis": RedisProbe,
    "amqp": AmqpProbe,
    "command": CommandProbe,
    "sql": SqlProbe,
    "log": LogProbe,
    "alive": AliveProbe,
    "listening": ListeningProbe,
}


def probe_to_json(probe: Probe) -> dict[str, Any]:
    """Turn a probe into plain JSON values, with its kind under `kind`."""
    if isinstance(probe, AllProbes):
        return {"kind": "all", "probes": [probe_to_json(part) for part in probe.probes]}
    kind = next(name for name, cls in _KINDS.items() if type(probe) is cls)
    return {"kind": kind, **vars(probe)}


def probe_from_json(value: dict[str, Any]) -> Probe:
    """Read back what `probe_to_json` wrote.

    Raises:
        KeyError: If the kind is unknown.
    """
    fields = {key: item for key, item in value.items() if key != "kind"}
    if value["kind"] == "all":
        return AllProbes(tuple(probe_from_json(part) for part in fields["probes"]))
    fields = {key: tuple(item) if isinstance(item, list) else item for key, item in fields.items()}
    probe: Probe = _KINDS[value["kind"]](**fields)
    return probe


@dataclass(frozen=True)
class HealthTiming:
    """When a probe is asked, in seconds, with the meaning that Compose gives the words.

    Attributes:
        interval: Between two checks once the service has been healthy.
        timeout: How long one check may take.
        retries: Failed checks in a row, after the start period, that make it unhealthy.
        start_period: Failures in this time after the start do not count.
        start_interval: Upper bound of the time between two checks until the first success; the
            process engine begins at 20 ms and backs off towards it.
    """

    interval: float = 30.0
    timeout: float = 30.0
    retries: int = 3
    start_period: float = 0.0
    start_interval: float = 0.5
