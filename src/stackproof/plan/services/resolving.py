"""Resolves one service: command, environment, folders and probe, as this machine has them."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from stackproof.plan.addressing.addresses import HOST, Addresses
from stackproof.plan.addressing.environment_rules import translate_environment
from stackproof.plan.addressing.listening import tell_port
from stackproof.plan.addressing.paths import PathMap
from stackproof.plan.addressing.translation import Translated, Translator
from stackproof.plan.model import Endpoint, Reach, ServicePlan, Translation
from stackproof.plan.mounts.model import PlannedMount
from stackproof.plan.services.drafts import Draft, local_command
from stackproof.plan.services.extension import Ready
from stackproof.plan.services.folders import Folders, folders_of
from stackproof.plan.services.image_tag import image_of
from stackproof.plan.services.notices import ignored_by_processes, unseen_mounts
from stackproof.plan.services.probes import is_replaced, probe_for
from stackproof.readiness.probes import (
    AliveProbe,
    CommandProbe,
    HealthTiming,
    HttpProbe,
    LogProbe,
    PostgresProbe,
    Probe,
    RedisProbe,
    TcpProbe,
)
from stackproof.settings.model import Settings
from stackproof.stack_file.model import Condition, Healthcheck, Limits, StackFile

DEFAULT_CPUS = 1.0
DEFAULT_MEMORY = 1 << 30
"""What a container gets where neither the stack file nor the settings say anything."""

HTTP_PORTS = frozenset({80, 3000, 4000, 5000, 8000, 8001, 8008, 8080, 8081, 8501, 8888, 9000})
"""Container ports that are shown as HTTP where nothing else is known of them."""


@dataclass(frozen=True)
class Surroundings:
    """What all services of a plan share.

    Attributes:
        settings: The settings.
        stack_file: The stack file.
        addresses: Names and ports of all services.
        run_folder: The temporary folder of the run.
        drafts: All services of the plan, in start order.
        mounts: The mounts of each service that are not the run's own, decided.
    """

    settings: Settings
    stack_file: StackFile
    addresses: Addresses
    run_folder: Path
    drafts: Sequence[Draft]
    mounts: Mapping[str, tuple[PlannedMount, ...]] = field(default_factory=dict)

    @cached_property
    def planned(self) -> frozenset[str]:
        """Names of all services of the plan."""
        return frozenset(one.name for one in self.drafts)

    @cached_property
    def one_shots(self) -> frozenset[str]:
        """Services whose successful end another one waits for."""
        return frozenset(
            name
            for draft in self.drafts
            for name, dependency in draft.service.depends_on.items()
            if dependency.condition == "service_completed_successfully"
        )


@dataclass
class Resolved:
    """One service of the plan, and what a person should know about how it came about."""

    service: ServicePlan
    translations: list[Translation] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def container_service(draft: Draft, around: Surroundings) -> Resolved:
    """A service as containers run it: nothing is translated but what this machine asks it.

    Its health check, if it only asks over the network and the port is published, is asked from
    here, which is quick; any other runs in the container.
    """
    resolved = Resolved(_service_plan(draft, around, (), {}))
    translator = Translator(around.addresses, draft.name, PathMap({}))
    probe = _probe(draft, around, translator, resolved, draft.environment)
    if isinstance(probe, HttpProbe):  # ports are published for this address, not for ::1
        probe = HttpProbe(probe.url.replace("//localhost:", f"//{HOST}:", 1))
    if draft.extension.ready is None and not _asks_from_here(probe, around, draft.name):
        probe = _as_written(draft.service.healthcheck)
    service = _service_plan(draft, around, draft.argv, dict(draft.environment), probe=probe)
    defaults = Limits(DEFAULT_CPUS, DEFAULT_MEMORY)
    limits = Limits(
        service.limits.cpus or defaults.cpus,
        service.limits.memory or defaults.memory,
        service.limits.pids,
    )
    image = image_of(around.settings.stack, draft.service)
    builds = draft.service.build is not None
    resolved.service = replace(
        service, limits=limits, image=image, builds=builds, reach=_reach(draft)
    )
    resolved.translations.clear()
    return resolved


def _reach(draft: Draft) -> Reach:
    service = draft.service
    pairs = (one.partition("=") for one in service.extra_hosts)
    return Reach(
        hosts={name.lower(): address for name, _, address in pairs},
        host_network=service.network_mode == "host",
        binds=tuple(one.target for one in service.mounts if one.kind == "bind"),
    )


def _asks_from_here(probe: Probe | None, around: Surroundings, service: str) -> bool:
    """Whether a probe's answer comes from the service itself.

    A bare connection does not count: Docker's proxy accepts it whether the service listens or not.
    """
    published = around.addresses.ports[service].values()
    if isinstance(probe, HttpProbe):
        return any(probe.url.startswith(f"http://{HOST}:{port}") for port in published)
    return isinstance(probe, PostgresProbe | RedisProbe)


def _as_written(check: Healthcheck | None) -> Probe | None:
    """A health check that runs in the container, with its own addresses."""
    if check is None or len(check.test) < 2:  # noqa: PLR2004 - the form and the command
        return None
    if check.test[0] == "CMD":
        return CommandProbe(check.test[1:])
    return CommandProbe(("/bin/sh", "-c", check.test[1]))


def native_service(draft: Draft, around: Surroundings) -> Resolved:
    """A service as a process of this machine: addresses, ports and paths are translated."""
    folders = folders_of(draft, around.run_folder, around.mounts.get(draft.name, ()))
    translator = Translator(around.addresses, draft.name, PathMap(folders.paths))
    resolved = Resolved(_service_plan(draft, around, (), {}))
    environment = translate_environment(translator, draft.environment)
    resolved.translations += environment.translations
    resolved.notices += [*draft.notices, *environment.notices]
    argv = _command(draft, translator, resolved)
    if draft.known is None:
        ports = around.addresses.ports[draft.name]
        told = tell_port(draft.name, argv, environment.values, ports, resolved.translations)
        resolved.translations += told[0]
        resolved.notices += told[1]
    probe = _probe(draft, around, translator, resolved, environment.values)
    resolved.service = _service_plan(
        draft, around, argv, environment.values, probe=probe, folders=folders
    )
    resolved.notices += ignored_by_processes(draft, around.stack_file)
    resolved.notices += unseen_mounts(draft, folders, resolved.translations)
    return resolved


def _service_plan(
    draft: Draft,
    around: Surroundings,
    argv: tuple[str, ...],
    environment: Mapping[str, str],
    *,
    probe: Probe | None = None,
    folders: Folders | None = None,
) -> ServicePlan:
    service, settings = draft.service, around.settings
    grace, upper = service.stop_grace_period, settings.timeouts.stop
    return ServicePlan(
        name=draft.name,
        argv=argv,
        environment=environment,
        working_dir=_working_folder(draft, folders) if folders else None,
        runtime=draft.runtime,
        depends_on=_depends_on(draft, around.planned),
        probe=probe,
        timing=_timing(service.healthcheck),
        restart=service.restart,
        stop_signal=_stop_signal(draft),
        stop_grace=grace if upper is None else min(grace, upper),
        limits=_limits(settings, draft),
        endpoints=_endpoints(draft, around.addresses),
        folders=folders.created if folders else {},
        sizes=folders.sizes if folders else {},
        mounts=folders.mounts if folders and draft.known else {},
        one_shot=draft.name in around.one_shots,
        extension=service.extension,
        data=draft.extension.data,
        outside=around.mounts.get(draft.name, ()),
        joins=tuple(key for key, value in service.joins.items() if value == "host"),
    )


def _stop_signal(draft: Draft) -> str:
    """The official PostgreSQL image stops by SIGINT: SIGTERM would wait for every client to go."""
    is_server = draft.runtime is not None and draft.runtime.image == "postgres"
    written = draft.service.stop_signal
    return "SIGINT" if is_server and written == "SIGTERM" else written


def _depends_on(draft: Draft, planned: Collection[str]) -> dict[str, Condition]:
    return {
        name: dependency.condition
        for name, dependency in draft.service.depends_on.items()
        if name in planned
    }


def _timing(check: Healthcheck | None) -> HealthTiming:
    given = {
        name: value
        for name in ("interval", "timeout", "retries", "start_period", "start_interval")
        if (value := getattr(check, name, None)) is not None
    }
    return HealthTiming(**given)


def _limits(settings: Settings, draft: Draft) -> Limits:
    """The settings for this service, then the stack file, then the settings for all."""
    own = settings.service_limits.get(draft.name, Limits())
    levels = (own, draft.service.limits, settings.limits)

    def first(name: str) -> float | None:
        return next((x for one in levels if (x := getattr(one, name)) is not None), None)

    memory, pids = first("memory"), first("pids")
    return Limits(
        first("cpus"), None if memory is None else int(memory), None if pids is None else int(pids)
    )


def _endpoints(draft: Draft, addresses: Addresses) -> tuple[Endpoint, ...]:
    declared = {one.target: one.app_protocol for one in reversed(draft.service.ports)}
    check = draft.service.healthcheck
    asked = " ".join(check.test) if check else ""
    return tuple(
        Endpoint(draft.name, target, HOST, port, _scheme(draft, target, declared, asked))
        for target, port in addresses.ports[draft.name].items()
    )


def _scheme(draft: Draft, target: int, declared: Mapping[int, str | None], asked: str) -> str:
    if draft.known is not None and target == draft.known.port:
        return draft.known.scheme
    told = declared.get(target)
    if told:
        return told
    return "http" if target in HTTP_PORTS or f":{target}/" in asked else "tcp"


def _working_folder(draft: Draft, folders: Folders) -> Path | None:
    written = draft.service.working_dir or (draft.image.workdir if draft.image else None)
    found = PathMap(folders.paths).resolve(written) if written else None
    if found is not None and found.is_dir():
        return found
    return draft.runtime.project if draft.runtime else None


def _command(draft: Draft, translator: Translator, resolved: Resolved) -> tuple[str, ...]:
    local = draft.argv if draft.known else local_command(draft.argv)
    if local != draft.argv:
        before, after = shlex.join(draft.argv), shlex.join(local)
        resolved.translations.append(Translation(draft.name, "command", before, after, "command"))
    done = translator.arguments(local)
    argv = tuple(one.text for one in done)
    if len(argv) != len(local):
        texts = (shlex.join(local), shlex.join(argv))
        resolved.translations.append(Translation(draft.name, "command", *texts, _rules(done)))
    else:
        for number, (before, part) in enumerate(zip(local, done, strict=True)):
            if before != part.text:
                texts = (before, part.text)
                place = f"command[{number}]"
                resolved.translations.append(Translation(draft.name, place, *texts, _rules([part])))
    for host in done[0].problems if done else ():
        resolved.notices.append(
            f"{draft.name}: its command names {host} without a port that is known; see `expose`"
        )
    return argv


def _rules(parts: Sequence[Translated]) -> str:
    return ", ".join(dict.fromkeys(rule for part in parts for rule in part.rules))


def _probe(
    draft: Draft,
    around: Surroundings,
    translator: Translator,
    resolved: Resolved,
    environment: Mapping[str, str],
) -> Probe | None:
    endpoints = around.addresses.ports[draft.name]
    if draft.extension.ready is not None:
        return _ready(draft.extension.ready, translator, endpoints)
    native: Probe | None = None
    if draft.known is not None and draft.known.port in endpoints:
        native = draft.known.probe(HOST, endpoints[draft.known.port], environment)
    check = draft.service.healthcheck
    if check is not None and (check.disable or check.test[:1] == ("NONE",)):
        return None
    if check is None or not check.test:
        published = [one.target for one in draft.service.ports if one.target in endpoints]
        return native or (TcpProbe(HOST, endpoints[published[0]]) if published else None)
    done = translator.arguments(check.test)
    test = tuple(one.text for one in done)
    probe = probe_for(test, draft.known, native)
    before = _command_text(check.test)
    if is_replaced(probe):
        rule, after = "probe", str(probe)
    else:
        rule, after = _rules(done), _command_text(test)
    if before != after:
        resolved.translations.append(Translation(draft.name, "healthcheck", before, after, rule))
    return probe


def _command_text(test: Sequence[str]) -> str:
    return test[1] if test[0] == "CMD-SHELL" else shlex.join(test[1:])


def _ready(ready: Ready, translator: Translator, endpoints: Mapping[int, int]) -> Probe:
    if ready.kind == "log":
        return LogProbe(ready.value)
    if ready.kind == "alive":
        return AliveProbe(ready.value)
    if ready.kind == "tcp":
        return TcpProbe(HOST, endpoints.get(ready.value, ready.value))
    if ready.kind == "command":
        return CommandProbe(tuple(one.text for one in translator.arguments(ready.value)))
    if ready.value.startswith("/"):
        port = next(iter(endpoints.values()), 80)
        return HttpProbe(f"http://{HOST}:{port}{ready.value}")
    return HttpProbe(translator.value(ready.value, "environment").text)
