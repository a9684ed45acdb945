"""The plan: everything that will be started, resolved, as pure printable data.

Nothing has happened yet when a plan exists; an engine turns it into running services.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from stackproof.plan.addressing.addresses import Addresses
from stackproof.plan.mounts.model import PlannedMount
from stackproof.readiness.probes import HealthTiming, Probe
from stackproof.stack_file.model import Condition, Limits, Restart


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
class Runtime:
    """How the process engine runs a service: a known image, or a Python project.

    Attributes:
        kind: `image` (natively, by a module of stackproof.engines.process.images) or `project`.
        image: For `image`: which one (`postgres`, `redis`, `valkey`).
        version: For `image`: the major version asked for, or "" for any.
        bindir: For `image`: folder of the server's programs, where one was named.
        project: For `project`: the folder of the Python project.
        lock: For `project`: its requirements file; None where there is nothing to install.
        source_roots: Folders to put on the import path of the project.
        python: Version of Python wanted (`3.12`), or "" for the one that runs stackproof.
        own_environment: For `project`: it runs in stackproof's own Python environment.
    """

    kind: Literal["image", "project"]
    image: str = ""
    version: str = ""
    bindir: Path | None = None
    project: Path | None = None
    lock: Path | None = None
    source_roots: tuple[Path, ...] = ()
    python: str = ""
    own_environment: bool = False


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
class Reach:
    """What of this machine a container reaches that others don't.

    Attributes:
        hosts: Names that `extra_hosts` gives it, with their addresses.
        host_network: Whether it shares this machine's network.
        binds: Container paths at which it sees files of this machine.
    """

    hosts: Mapping[str, str] = field(default_factory=dict)
    host_network: bool = False
    binds: tuple[str, ...] = ()


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
        data: Container paths of what a snapshot has to keep, beside the volumes.
        reach: What of this machine its container reaches (compose engine).
        outside: Mounts whose source is not the run's own, with what becomes of each.
        joins: Namespaces of this machine that it does not join, though the stack file says so.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    working_dir: Path | None = None
    runtime: Runtime | None = None
    image: str = ""
    builds: bool = False
    depends_on: Mapping[str, Condition] = field(default_factory=dict)
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
    data: tuple[str, ...] = ()
    reach: Reach = Reach()
    outside: tuple[PlannedMount, ...] = ()
    joins: tuple[str, ...] = ()


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
        fingerprint: Digest of all that decides whether a running stack is the same one.
        migrate: Commands that bring the schema up to date, in order.
        seed: Commands that bring the fixtures in, in order.
        secrets: Values that must never be written or shown.
        source: What the compose engine hands to Docker Compose.
        hermetic: Whether services can reach nothing but each other (compose engine).
        gateway_service: Name of the service that stands in for a model provider.
        gateway_names: Names by which other services reach it.
        gateway_token: What its control interface needs, and its clients where calls cost money.
        elsewhere: Services that are left out, and the project that has started each.
        addresses: The names of its services, and the ports that it publishes.
        external: Hosts outside the stack that its services may use.
        database: Name of the database that migrate and seed work on; None where none is configured.
    """

    stack: str
    project: str
    engine: str
    run_folder: Path
    services: tuple[ServicePlan, ...]
    translations: tuple[Translation, ...] = ()
    notices: tuple[str, ...] = ()
    fingerprint: str = ""
    migrate: tuple[PlannedCommand, ...] = ()
    seed: tuple[PlannedCommand, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
    source: ComposeSource = ComposeSource()
    hermetic: bool = False
    gateway_service: str | None = None
    gateway_names: tuple[str, ...] = ()
    gateway_token: str = field(default="", repr=False)
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    addresses: Addresses = Addresses({}, {})
    external: tuple[str, ...] = ()
    database: str | None = None

    @property
    def own(self) -> Plan:
        """The plan without the services that other runs have started, which it names."""
        return replace(
            self,
            services=tuple(one for one in self.services if not one.shared),
            elsewhere={one.name: one.shared for one in self.services if one.shared},
        )

    def service(self, name: str) -> ServicePlan:
        """The service of that name.

        Raises:
            KeyError: If there is none.
        """
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> Mapping[str, ServicePlan]:
        return {one.name: one for one in reversed(self.services)}
