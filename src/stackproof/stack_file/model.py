"""The stack file as plain, frozen data: a Compose file after merging and interpolation.

Only what stackproof supports is here. Durations are seconds, sizes are bytes, paths are absolute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from stackproof.errors import ConfigError
from stackproof.stack_file.reading.fields import Field
from stackproof.stack_file.reading.nodes import Location, node_of

Condition = Literal["service_started", "service_healthy", "service_completed_successfully"]


@dataclass(frozen=True)
class Build:
    """How an image is built (`build:`)."""

    context: Path
    dockerfile: str = "Dockerfile"
    dockerfile_inline: str | None = None
    target: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)


WatchAction = Literal["rebuild", "restart", "sync", "sync+restart", "sync+exec"]


@dataclass(frozen=True)
class WatchRule:
    """One entry of `develop.watch`: what a changed file below a path means for a service.

    Patterns are those of `.dockerignore`, relative to the path. `command` is that of `sync+exec`;
    `refused` are keys of it that a watch does not support.
    """

    action: WatchAction
    path: Path
    target: str = ""
    ignore: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dependency:
    """One entry of `depends_on`."""

    condition: Condition = "service_started"
    restart: bool = False
    required: bool = True


@dataclass(frozen=True)
class Healthcheck:
    """`healthcheck:`; `test` is the canonical list, beginning with CMD, CMD-SHELL or NONE.

    `test` is empty where the file sets only timings; None for a time means Compose's default.
    """

    test: tuple[str, ...] = ()
    interval: float | None = None
    timeout: float | None = None
    retries: int | None = None
    start_period: float | None = None
    start_interval: float | None = None
    disable: bool = False


@dataclass(frozen=True)
class Port:
    """One container port, with the host side where it is published.

    Ranges are expanded; `published` is None where Docker would choose a free port. A range on the
    host side for a single container port stays a string such as `8000-8010`.
    """

    target: int
    published: str | None = None
    host_ip: str | None = None
    protocol: Literal["tcp", "udp"] = "tcp"
    name: str | None = None
    app_protocol: str | None = None
    mode: str = "ingress"


@dataclass(frozen=True)
class Mount:
    """One entry of `volumes:` of a service, or a file that it is granted.

    `written` is its source as the file has it, `content` the text of a granted file that has none.
    """

    kind: Literal["bind", "volume", "tmpfs"]
    target: str
    source: str | None = None  # absolute path for bind, volume name for volume (None: anonymous)
    read_only: bool = False
    create_host_path: bool = True
    size: int | None = None  # bytes, tmpfs only
    nocopy: bool = False  # a volume that stays empty where the image has something
    content: str | None = field(default=None, repr=False)
    is_secret: bool = False
    owner: str = ""  # the service whose anonymous volume it is, for one that has it from there
    written: str = field(default="", compare=False)
    where: Location | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Restart:
    """`restart:`; `max_retries` is None for no bound."""

    policy: Literal["no", "always", "on-failure", "unless-stopped"] = "no"
    max_retries: int | None = None


@dataclass(frozen=True)
class Limits:
    """Upper bounds; None where the file sets none. `memory` is in bytes."""

    cpus: float | None = None
    memory: int | None = None
    pids: int | None = None


@dataclass(frozen=True)
class Service:
    """One service of the stack file."""

    name: str
    image: str | None = None
    build: Build | None = None
    command: tuple[str, ...] | None = None  # None: the image's own; () clears it
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    working_dir: str | None = None
    user: str | None = None
    hostname: str | None = None
    container_name: str | None = None
    init: bool = False
    read_only: bool = False
    privileged: bool = False
    platform: str | None = None
    shm_size: int | None = None
    depends_on: Mapping[str, Dependency] = field(default_factory=dict)
    healthcheck: Healthcheck | None = None
    ports: tuple[Port, ...] = ()
    expose: tuple[int, ...] = ()
    expose_udp: tuple[int, ...] = ()
    mounts: tuple[Mount, ...] = ()
    tmpfs: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    restart: Restart = Restart()
    stop_signal: str = ""  # as it is written; empty where it is left to the image
    stop_grace_period: float = 10.0
    limits: Limits = Limits()
    reservations: Limits = Limits()
    networks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # network → aliases
    addresses: Mapping[str, str] = field(default_factory=dict)  # network → ipv4_address
    extra_hosts: tuple[str, ...] = ()
    network_mode: str | None = None
    links: Mapping[str, str] = field(default_factory=dict)  # alias → service
    joins: Mapping[str, str] = field(default_factory=dict)  # network_mode, pid, … as written
    volumes_from: tuple[str, ...] = ()  # services whose mounts it has as well
    external_links: tuple[str, ...] = ()
    ulimits: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # soft, hard; -1: none
    sysctls: Mapping[str, str] = field(default_factory=dict)
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    watch: tuple[WatchRule, ...] = ()
    replicas: int = 1
    replica_of: str = ""  # the service of the file that it is a replica of
    extension: Mapping[str, Any] = field(default_factory=dict)  # x-stackproof, plain values


@dataclass(frozen=True)
class NamedVolume:
    """One entry of the top-level `volumes:`; without a name its key gives it one."""

    name: str | None = None
    external: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    driver: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)  # driver_opts


@dataclass(frozen=True)
class Subnet:
    """A subnet of a network (`ipam`), as written; None for what the file leaves open."""

    subnet: str
    gateway: str | None = None
    ip_range: str | None = None


FOREIGN_DRIVERS = frozenset({"macvlan", "ipvlan"})
"""Drivers of networks that are part of this machine's own one."""


@dataclass(frozen=True)
class Network:
    """One entry of the top-level `networks:`; without a name its key gives it one."""

    name: str | None = None
    external: bool = False
    internal: bool = False
    driver: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    subnets: tuple[Subnet, ...] = ()

    @property
    def is_foreign(self) -> bool:
        """Whether servers of others may be in it."""
        return self.external or self.driver in FOREIGN_DRIVERS


@dataclass(frozen=True)
class StackFile:
    """All services of one or several merged Compose files.

    Attributes:
        name: The top-level `name:`, if any.
        sources: The files that were read, in order, `extends` and `env_file` files included.
        project_directory: What relative paths were resolved against.
        services: Every service, whatever its profiles; see `select`.
        volumes: Named volumes.
        networks: Networks.
        extension: The top-level `x-stackproof`, plain values.
        variables: Each variable that interpolation looked up, with the value it was given
            (None: it was unset).
        unset: Variables that are not set and have no default, with where they are named first.
        default_profiles: Profiles that COMPOSE_PROFILES names.
        locations: Dotted key path (`services.api.ports[0]`) to where it was written.
        ignored: Dotted paths of keys that were accepted and change nothing.
        missed: Services that wait for others which are left out: name to these.
        replicas: Service to the names of its replicas, where it has several.
    """

    sources: tuple[Path, ...]
    project_directory: Path
    services: Mapping[str, Service]
    name: str | None = None
    volumes: Mapping[str, NamedVolume] = field(default_factory=dict)
    networks: Mapping[str, Network] = field(default_factory=dict)
    extension: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str | None] = field(default_factory=dict)
    unset: Mapping[str, Location] = field(default_factory=dict)
    default_profiles: tuple[str, ...] = ()
    locations: Mapping[str, Location] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    missed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    replicas: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def profiles(self) -> tuple[str, ...]:
        """All profiles of its services, sorted."""
        named = {name for service in self.services.values() for name in service.profiles}
        return tuple(sorted(named))

    def location(self, key: str) -> Location | None:
        """Where a key, or its nearest parent that is known, was written."""
        while key:
            if key in self.locations:
                return self.locations[key]
            key = key.rpartition(".")[0]
        return None

    def field(self, key: str, value: Any) -> Field:
        """Plain values that stand under a key, to be read strictly."""
        unknown = Location("the stack file")
        return Field(node_of(value, lambda key: self.location(key) or unknown, key), key)

    def refusal(self, key: str, what: str, *, observed: str = "", remedy: str = "") -> ConfigError:
        """The error for a key of the file, with the place where it was written."""
        place = self.location(key)
        source, line = (place.source, place.line) if place else (None, None)
        return ConfigError(
            what, source=source, line=line, key=key, observed=observed, remedy=remedy
        )
