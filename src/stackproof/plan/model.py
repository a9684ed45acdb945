"""The plan: everything that will be started, resolved, as pure data; nothing has happened yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from stackproof.plan.addressing.addresses import Addresses
from stackproof.plan.mounts.model import PlannedMount
from stackproof.plan.reach import Reach
from stackproof.plan.runtime import AUTO, Runtime
from stackproof.plan.world.model import World, WorldName
from stackproof.readiness.probes import HealthTiming, Probe
from stackproof.stack_file.model import Condition, Limits, Mount, Restart

EVERYWHERE = "0.0.0.0"  # noqa: S104 - an address of a network that nobody else is in


@dataclass(frozen=True)
class Endpoint:
    """Where a port of a service is reached from this machine.

    Attributes:
        service: Name of the service.
        target: The port inside the container, as the stack file has it.
        host: Address to connect to.
        port: Port to connect to.
        scheme: URL scheme that fits (`http`, `postgresql`, `redis`, …), or `tcp`.
    """

    service: str
    target: int
    host: str
    port: int
    scheme: str = "tcp"

    @property
    def url(self) -> str:
        """The address as a URL."""
        return f"{self.scheme}://{self.host}:{self.port}"


@dataclass(frozen=True)
class Translation:
    """One value of the stack file that the process engine sees in another form.

    Attributes:
        service: Whose environment, command or health check it stands in.
        place: Where, such as `environment DATABASE_URL` or `command[3]`.
        before: As written in the stack file.
        after: As the process gets it.
        rule: Why: `url`, `address`, `host`, `port`, `own port`, `published`, `bind address`,
            `path`, `command`, `probe`; several are separated by commas.
    """

    service: str
    place: str
    before: str
    after: str
    rule: str


@dataclass(frozen=True)
class ComposeSource:
    """What the compose engine hands to Docker Compose.

    Attributes:
        files: The Compose files, in order.
        variables: Values for their interpolation.
        profiles: Profiles that are on.
    """

    files: tuple[Path, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    profiles: tuple[str, ...] = ()


@dataclass(frozen=True)
class ServicePlan:
    """One service, resolved.

    Attributes:
        name: Name of the service.
        argv: Entrypoint and command, translated; empty for a known image, which brings its own.
        environment: Its whole own environment, translated (without what the engine adds).
        working_dir: Folder to start in; None for the engine's choice.
        runtime: How the process engine runs it; None for the compose engine.
        image: What the compose engine runs; empty for the process engine.
        builds: Whether stackproof builds that image.
        depends_on: Services it waits for, with the condition.
        restarts_with: Those of them whose restart restarts it as well (`depends_on.restart`).
        probe: What shows that it is ready; None means started is ready.
        timing: When the probe is asked.
        restart: Restart policy.
        stop_signal: Name of the signal that asks it to stop.
        stop_grace: Seconds between that signal and SIGKILL.
        limits: Upper bounds of resources.
        endpoints: Its ports.
        folders: Data folders to create: path to the container path that it stands for.
        sizes: What those of them hold that are bounded: container path to size, as in tmpfs(5).
        mounts: Container path to the file or folder that stands for it, for a known image.
        one_shot: True where the service is expected to end by itself with status 0.
        shared: Project of the run whose server stands for it; empty where the engine starts it.
        extension: `x-stackproof` of the service, as written.
        preload: What is imported ahead for forks of it: `auto`, `off`, or modules.
        data: Container paths of what a snapshot has to keep, beside the volumes.
        reach: What of this machine its container reaches (compose engine).
        outside: Mounts whose source is not the run's own, decided.
        joins: Namespaces of this machine that it does not join, though the stack file says so.
        granted: Its secrets and configs that are no files.
        world: What it sees; None where that is this machine, or its container.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    working_dir: Path | None = None
    runtime: Runtime | None = None
    image: str = ""
    builds: bool = False
    depends_on: Mapping[str, Condition] = field(default_factory=dict)
    restarts_with: tuple[str, ...] = ()
    probe: Probe | None = None
    timing: HealthTiming = HealthTiming()
    restart: Restart = Restart()
    stop_signal: str = "SIGTERM"
    stop_grace: float = 10.0
    limits: Limits = Limits()
    endpoints: tuple[Endpoint, ...] = ()
    folders: Mapping[Path, str] = field(default_factory=dict)
    sizes: Mapping[str, str] = field(default_factory=dict)
    mounts: Mapping[str, Path] = field(default_factory=dict)
    one_shot: bool = False
    shared: str = ""
    extension: Mapping[str, Any] = field(default_factory=dict)
    preload: str | tuple[str, ...] = AUTO
    data: tuple[str, ...] = ()
    reach: Reach = Reach()
    outside: tuple[PlannedMount, ...] = ()
    joins: tuple[str, ...] = ()
    granted: tuple[Mount, ...] = ()
    world: World | None = None

    @property
    def listens(self) -> tuple[str, int]:
        """Where it listens for its first port: in a private world as its container would.

        Raises:
            IndexError: If it has no port.
        """
        first = self.endpoints[0]
        host = EVERYWHERE if self.world is not None else first.host
        return host, self.own_ports[first.target]

    @property
    def own_ports(self) -> dict[int, int]:
        """Container port to the port that it listens on itself."""
        is_private = self.world is not None
        return {
            endpoint.target: endpoint.target if is_private else endpoint.port
            for endpoint in self.endpoints
        }


@dataclass(frozen=True)
class PlannedCommand:
    """A command that runs in a service's surroundings, translated.

    Attributes:
        service: Name of the service.
        argv: Program and arguments.
    """

    service: str
    argv: tuple[str, ...]


@dataclass(frozen=True)
class PlannedEvidence:
    """What is kept of a database when a test fails.

    Attributes:
        sql: Queries, whose rows are kept.
        service: Name of the database service; empty for the only one.
    """

    sql: tuple[str, ...] = ()
    service: str = ""


@dataclass(frozen=True)
class Plan:
    """A whole stack, resolved.

    Attributes:
        stack: Name of the stack, as in `config/<stack>.yaml`.
        project: Name of this copy of it; run folder, labels and networks carry it.
        engine: `process` or `compose`.
        run_folder: The temporary folder of the run: data, logs, sockets; removed by `down`.
        services: In start order: each after all that it depends on.
        translations: What the process engine sees differently from the stack file.
        notices: Sentences a person should read: what is ignored, weaker or guessed.
        migrate: Commands that bring the schema up to date, in order.
        seed: Commands that bring the fixtures in, in order.
        secrets: Values that must never be written or shown.
        source: What the compose engine hands to Docker Compose.
        hermetic: Whether services can reach nothing but each other (compose engine).
        gateway_service: Name of the service that stands in for a model provider.
        gateway_names: Names by which other services reach it.
        gateway_token: What its control interface needs, and its clients where calls cost money.
        elsewhere: Services that are left out, and the project that has started each.
        borrowed: Those services, which a private world has to lead to.
        addresses: The names of its services, and the ports that it publishes.
        port_places: Where the host ports that are not free ones were asked for, with the key, by
            service and container port.
        external: Hosts outside the stack that its services may use.
        database: Name of the database that migrate and seed work on; None where none is configured.
        evidence: What is kept of a database when a test fails.
        world: What its services see: `private`, or `host` for this machine or their containers.
        replicas: Service to the names of its replicas, where it has several.
    """

    stack: str
    project: str
    engine: str
    run_folder: Path
    services: tuple[ServicePlan, ...]
    translations: tuple[Translation, ...] = ()
    notices: tuple[str, ...] = ()
    migrate: tuple[PlannedCommand, ...] = ()
    seed: tuple[PlannedCommand, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
    source: ComposeSource = ComposeSource()
    hermetic: bool = False
    gateway_service: str | None = None
    gateway_names: tuple[str, ...] = ()
    gateway_token: str = field(default="", repr=False)
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    borrowed: tuple[ServicePlan, ...] = ()
    addresses: Addresses = Addresses({}, {})
    port_places: Mapping[tuple[str, int], str] = field(default_factory=dict)
    external: tuple[str, ...] = ()
    database: str | None = None
    evidence: PlannedEvidence = PlannedEvidence()
    world: WorldName = "host"
    replicas: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_translated(self) -> bool:
        """Whether services see addresses and paths of this machine."""
        return self.engine == "process" and self.world == "host"

    def address_of(self, name: str) -> str:
        """The address of a service in its private world; empty where it has none."""
        world = self.service(name).world
        if world is None:
            return ""
        return self.address_of(world.joins) if world.joins else world.address

    @property
    def unshared(self) -> Plan:
        """The plan without the services that other runs have started, which it names."""
        return replace(
            self,
            services=tuple(service for service in self.services if not service.shared),
            elsewhere={service.name: service.shared for service in self.services if service.shared},
            borrowed=tuple(service for service in self.services if service.shared),
        )

    @property
    def ports(self) -> dict[tuple[str, int], int]:
        """Host ports by service and container port."""
        return {
            (service.name, endpoint.target): endpoint.port
            for service in self.services
            for endpoint in service.endpoints
        }

    def service(self, name: str) -> ServicePlan:
        """The service of that name.

        Raises:
            KeyError: If there is none.
        """
        return self._by_name[name]

    def restarted_with(self, names: Collection[str]) -> list[str]:
        """Services in start order, with those that are restarted when one of them is."""
        found = set(names)
        for service in self.services:  # in start order: a service stands after what it waits for
            if not found.isdisjoint(service.restarts_with):
                found.add(service.name)
        return [service.name for service in self.services if service.name in found]

    @cached_property
    def _by_name(self) -> Mapping[str, ServicePlan]:
        return {service.name: service for service in reversed(self.services)}
