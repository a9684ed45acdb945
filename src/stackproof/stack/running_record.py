"""What a running stack was started from, so that a later command can tell what has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from stackproof.plan.model import Plan, ServicePlan
from stackproof.reaper.leftovers import refused
from stackproof.reaper.ownership import NotOurs, read_file, write_file
from stackproof.reaper.run_folder import RunFolder
from stackproof.redaction import Redactor
from stackproof.settings import Settings

SHOWN = ("argv", "environment", "working_dir", "runtime", "probe", "timing", "restart", "limits",
         "endpoints", "depends_on", "stop_signal", "stop_grace")  # fmt: skip


@dataclass(frozen=True)
class RunningRecord:
    """What is kept in the run folder of a stack that was started.

    Attributes:
        fingerprint: The plan's.
        profiles: Profiles that were on.
        ports: Host ports by service and container port.
        services: Each service as masked plain values, with a digest of the unmasked ones.
        is_complete: Whether the start has come to its end.
    """

    fingerprint: str
    profiles: tuple[str, ...]
    ports: Mapping[tuple[str, int], int]
    services: Mapping[str, Mapping[str, Any]]
    is_complete: bool

    @classmethod
    def of(cls, plan: Plan, settings: Settings, *, complete: bool) -> RunningRecord:
        """The record of a plan."""
        redactor = Redactor(plan.secrets)
        ports = {
            (one.name, endpoint.target): endpoint.port
            for one in plan.services
            for endpoint in one.endpoints
        }
        services = {one.name: _plain(one, redactor) for one in plan.services}
        return cls(plan.fingerprint, settings.profiles, ports, services, complete)


@dataclass(frozen=True)
class Changes:
    """How a plan differs from what runs.

    Attributes:
        services: Services that must be started anew, or for the first time.
        removed: Services that run and are not wanted any more.
        lines: Each difference in words.
    """

    services: list[str]
    removed: list[str]
    lines: list[str]

    def __bool__(self) -> bool:
        return bool(self.services or self.removed)


def _plain(service: ServicePlan, redactor: Redactor) -> dict[str, Any]:
    whole = asdict(replace(service, folders={}))
    text = json.dumps(whole, default=str, sort_keys=True)
    shown = {name: whole[name] for name in SHOWN}
    shown["probe"] = str(service.probe or "")
    masked = json.loads(json.dumps(redactor.value(shown), default=str))
    return {**masked, "digest": hashlib.sha256(text.encode()).hexdigest()}


def write_about(run: RunFolder, record: RunningRecord) -> None:
    """Keep the record in the run folder, whole or not at all."""
    value = {
        "fingerprint": record.fingerprint,
        "profiles": list(record.profiles),
        "ports": [[name, target, port] for (name, target), port in record.ports.items()],
        "services": record.services,
        "is_complete": record.is_complete,
    }
    write_file(str(run.path), run.about.name, json.dumps(value).encode())


def read_about(run: RunFolder) -> RunningRecord | None:
    """The record of a run; None where there is no run, or it was killed before it had one.

    Raises:
        Refused: If somebody else could have written it.
    """
    try:
        value = json.loads(read_file(str(run.path), run.about.name))
        return RunningRecord(
            fingerprint=value["fingerprint"],
            profiles=tuple(value["profiles"]),
            ports={(name, target): port for name, target, port in value["ports"]},
            services=value["services"],
            is_complete=value["is_complete"],
        )
    except NotOurs as error:
        raise refused(error) from None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def changes(before: RunningRecord, after: RunningRecord) -> Changes:
    """What must be done so that what runs is what is planned."""
    removed = [name for name in before.services if name not in after.services]
    found = Changes([], removed, [f"{name} is not wanted any more" for name in removed])
    for name, service in after.services.items():
        known = before.services.get(name)
        if known is None:
            found.services.append(name)
            found.lines.append(f"{name} is new")
        elif known["digest"] != service["digest"]:
            found.services.append(name)
            found.lines.extend(_differences(name, known, service))
    return found


def _differences(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    lines = []
    for key in SHOWN:
        if before.get(key) == after.get(key):
            continue
        if key == "environment":
            lines += _changed_variables(name, before[key], after[key])
        else:
            lines.append(f"{name}: {key.replace('_', ' ')}: {before.get(key)} → {after.get(key)}")
    return lines or [f"{name}: a secret value"]


def _changed_variables(name: str, before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return [
        f"{name}: environment {key}: {before.get(key, '(unset)')} → {after.get(key, '(unset)')}"
        for key in changed
    ]
