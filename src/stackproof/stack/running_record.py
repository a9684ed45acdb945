"""What a running stack was started from, so that a later command can tell what has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from stackproof.plan.model import Plan, ServicePlan
from stackproof.plan.services.data_origin import Origin
from stackproof.plan.world.host_ports import host_ports
from stackproof.plan.world.model import WorldName
from stackproof.reaper.leftovers import refused
from stackproof.reaper.ownership import NotOurs, read_file, write_file
from stackproof.reaper.run_folder import RunFolder
from stackproof.settings import Settings
from stackproof.stack.checkout import Checkout
from stackproof.stack.kept_data import origins_of
from stackproof.stack.service_files import service_files
from stackproof.stack_file.model import Service, StackFile
from stackproof_redaction import Redactor


@dataclass(frozen=True)
class RunningRecord:
    """What is kept in the run folder of a stack that was started.

    Attributes:
        stack: Name of the stack.
        checkout: The project folder that it was started from.
        engine: The engine that runs it.
        world: What its services see; `host` on the engines that give them none.
        profiles: Profiles that were on.
        ports: Host ports by service and container port.
        all_free: Whether every port is a free one, whatever the files ask for.
        services: What each service was started from: `plan` and `written`, both masked, `digest` of
            all of it unmasked, `masked` of that and of what is masked in it, and `files` with a
            digest of each (None where nobody looks at them).
        origins: What the data of each server were made from.
        is_complete: Whether the start has come to its end.
        without: Services that the command line has left out.
    """

    stack: str
    checkout: Checkout
    engine: str
    profiles: tuple[str, ...]
    ports: Mapping[tuple[str, int], int]
    all_free: bool
    services: Mapping[str, Mapping[str, Any]]
    origins: Mapping[str, Origin]
    is_complete: bool
    world: WorldName = "host"
    without: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        plan: Plan,
        settings: Settings,
        stack_file: StackFile,
        *,
        complete: bool = False,
        all_free: bool = False,
        files: bool = True,
        known: RunningRecord | None = None,
    ) -> RunningRecord:
        """The record of a plan and of the files that its services are started from.

        Args:
            plan: The plan.
            settings: The settings that it was made from.
            stack_file: The stack file that it was made from.
            complete: Whether the start has come to its end.
            all_free: Whether every port is a free one.
            files: Whether files are looked at; not for a stack that no later command updates.
            known: An earlier record: what is the same is not masked again.
        """
        services, redactor = {}, Redactor(plan.secrets)
        for service in plan.services:
            found = service_files(service, stack_file) if files else None
            services[service.name] = {
                **_plain(
                    service,
                    _written(service.name, stack_file),
                    settings,
                    plan,
                    redactor,
                    known.services.get(service.name, {}) if known is not None else {},
                ),
                "files": found,
            }
        return cls(
            stack=settings.stack,
            checkout=Checkout.of(settings.root),
            engine=plan.engine,
            profiles=settings.profiles,
            ports=plan.ports,
            all_free=all_free,
            services=services,
            origins=origins_of(plan),
            is_complete=complete,
            world=plan.world,
            without=settings.without,
        )

    def without_start_of(self, names: Collection[str]) -> RunningRecord:
        """The same while some services are started anew: what they run is not known until then."""
        services = {
            name: {**service, "digest": ""} if name in names else service
            for name, service in self.services.items()
        }
        return replace(self, services=services)


def _written(name: str, stack_file: StackFile) -> dict[str, Any]:
    """A service as the stack file has it, with the volumes and networks that it uses."""
    service = stack_file.services.get(name)
    if service is None:
        return {}
    used = {mount.source for mount in service.mounts if mount.kind == "volume"}
    volumes, networks = stack_file.volumes, stack_file.networks
    return {
        **asdict(_without_places(service)),
        "volumes": {key: asdict(volumes[key]) for key in volumes if key in used},
        "networks": {
            key: [aliases, asdict(networks[key]) if key in networks else {}]
            for key, aliases in service.networks.items()
        },
    }


def _without_places(service: Service) -> Service:
    """The service without lines of the file, which move when something above them changes.

    What a watch does with changed files is no part of what runs either.
    """
    mounts = tuple(replace(mount, where=None) for mount in service.mounts)
    return replace(service, mounts=mounts, watch=())


def _plain(
    service: ServicePlan,
    written: Mapping[str, Any],
    settings: Settings,
    plan: Plan,
    redactor: Redactor,
    known: Mapping[str, Any],
) -> dict[str, Any]:
    planned = {
        **asdict(service),
        "folders": {str(path): target for path, target in service.folders.items()},
        "outside": [asdict(replace(mount, where="")) for mount in service.outside],
        "endpoints": {str(endpoint.target): endpoint.port for endpoint in service.endpoints},
        "probe": str(service.probe or ""),
        "image": "" if service.builds else service.image,  # named by content: see `files`
        "hermetic": settings.hermetic,
        "host_ports": sorted(host_ports(plan).keys() - plan.addresses.published.keys()),
    }
    both = {"plan": planned, "written": written}
    text = json.dumps(both, default=str, sort_keys=True)
    digest, masked = _sum(text), _sum(text, *sorted(plan.secrets))
    if known.get("masked") == masked:
        shown = {name: known[name] for name in both}
    else:
        shown = json.loads(json.dumps(redactor.value(both), default=str))
    return {**shown, "digest": digest, "masked": masked}


def _sum(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def write_about(run: RunFolder, record: RunningRecord) -> None:
    """Keep the record in the run folder, whole or not at all."""
    ports = [[name, target, port] for (name, target), port in record.ports.items()]
    value = {**vars(record), "ports": ports}
    write_file(str(run.path), run.about.name, json.dumps(value).encode())


def read_about(run: RunFolder) -> RunningRecord | None:
    """The record of a run; None where there is no run, or it was killed before it had one.

    Raises:
        Refused: If somebody else could have written it.
    """
    try:
        value = json.loads(read_file(str(run.path), run.about.name))
        ports = {(name, target): port for name, target, port in value["ports"]}
        profiles = tuple(value["profiles"])
        own = {
            "checkout": Checkout(*value["checkout"]),
            "without": tuple(value.get("without", ())),
        }
        return RunningRecord(**{**value, **own, "ports": ports, "profiles": profiles})
    except NotOurs as error:
        raise refused(error) from None
    except (OSError, ValueError, KeyError, TypeError):
        return None
