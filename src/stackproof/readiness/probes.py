"""What it means for a service to be ready: probes as plain values.

A probe says what to ask; the engine that runs the service asks it. Only the standard library is
imported here, since the supervisor of the process engine loads this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True)
class TcpProbe:
    """Ready when a TCP connection is accepted."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"TCP connect to {self.host}:{self.port}"


@dataclass(frozen=True)
class HttpProbe:
    """Ready when a GET answers with a status below 400."""

    url: str

    def __str__(self) -> str:
        return f"GET {self.url}"


@dataclass(frozen=True)
class PostgresProbe:
    """Ready when a PostgreSQL server takes a startup packet and asks for authentication.

    Source: PostgreSQL documentation, "Message Formats", StartupMessage and ErrorResponse; a server
    that is still starting answers with an error of SQLSTATE 57P03.
    """

    host: str
    port: int
    user: str
    database: str

    def __str__(self) -> str:
        return f"PostgreSQL startup at {self.host}:{self.port} for {self.user}@{self.database}"


@dataclass(frozen=True)
class RedisProbe:
    """Ready when a Redis server answers PING with PONG (or asks for a password).

    Source: Redis documentation, "RESP protocol specification"; a server that is still loading
    answers with an error that begins with LOADING.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"Redis PING at {self.host}:{self.port}"


@dataclass(frozen=True)
class CommandProbe:
    """Ready when a command, run in the service's own environment, exits with status 0."""

    argv: tuple[str, ...]

    def __str__(self) -> str:
        return "command " + " ".join(self.argv)


@dataclass(frozen=True)
class LogProbe:
    """Ready when the service has written a line that a regular expression is found in."""

    pattern: str

    def __str__(self) -> str:
        return f"log line /{self.pattern}/"


@dataclass(frozen=True)
class AliveProbe:
    """Ready when the process has been alive for some seconds."""

    seconds: float

    def __str__(self) -> str:
        return f"alive for {self.seconds:g} s"


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
    | CommandProbe
    | LogProbe
    | AliveProbe
    | AllProbes
)

_KINDS: dict[str, type[Any]] = {
    "tcp": TcpProbe,
    "http": HttpProbe,
    "postgres": PostgresProbe,
    "redis": RedisProbe,
    "command": CommandProbe,
    "log": LogProbe,
    "alive": AliveProbe,
}


def probe_to_json(probe: Probe) -> dict[str, Any]:
    """Turn a probe into plain JSON values, with its kind under `kind`."""
    if isinstance(probe, AllProbes):
        return {"kind": "all", "probes": [probe_to_json(one) for one in probe.probes]}
    kind = next(name for name, cls in _KINDS.items() if type(probe) is cls)
    return {"kind": kind, **vars(probe)}


def probe_from_json(value: dict[str, Any]) -> Probe:
    """Read back what `probe_to_json` wrote.

    Raises:
        KeyError: If the kind is unknown.
    """
    fields = {key: item for key, item in value.items() if key != "kind"}
    if value["kind"] == "all":
        return AllProbes(tuple(probe_from_json(one) for one in fields["probes"]))
    if "argv" in fields:
        fields["argv"] = tuple(fields["argv"])
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
