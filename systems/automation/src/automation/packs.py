"""Reads packs: `pack.yaml`, and what lies in `actions/`, `workflows/` and `sensors/`."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from automation.models import Action, Base, Pack, Sensor, Trigger
from automation.states import SensorState

LARGEST = 10 * 1024 * 1024
CORE = "core"
TIMER = "core.timer"
POLICIES = ("enqueue", "cancel")
RUNNERS = ("python", "workflow", "inquiry")


class PackError(Exception):
    """A pack can't be read."""


@dataclass(frozen=True)
class Content:
    """What a pack holds, as rows of the tables."""

    pack: dict[str, Any]
    triggers: list[dict[str, Any]]
    actions: list[dict[str, Any]]
    sensors: list[dict[str, Any]]


def packed(folder: Path) -> bytes:
    """A folder as a zip; the same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                entry = zipfile.ZipInfo(str(path.relative_to(folder)))
                archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def read(content: bytes) -> Content:
    """What a zip holds.

    Raises:
        PackError: If it is no pack.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            check_names(archive)
            files = {
                name: archive.read(name).decode() for name in archive.namelist() if ".y" in name
            }
            return _read(files, content, set(archive.namelist()))
    except (zipfile.BadZipFile, yaml.YAMLError, UnicodeDecodeError) as error:
        raise PackError(f"the pack can't be read: {error}") from error
    except KeyError as error:
        raise PackError(f"the pack lacks {error}") from error


def check_names(archive: zipfile.ZipFile) -> None:
    """Make sure that a pack is small and stays in its folder.

    Raises:
        PackError: If it isn't, or doesn't.
    """
    if sum(entry.file_size for entry in archive.infolist()) > LARGEST:
        raise PackError(f"the pack is larger than {LARGEST} bytes")
    for name in archive.namelist():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise PackError(f"the file {name} leads out of the pack")


def _read(files: dict[str, str], content: bytes, names: set[str]) -> Content:
    told = _mapping(files, "pack.yaml")
    ref = str(told["ref"])
    pack = {
        "ref": ref,
        "version": str(told["version"]),
        "runtime": told.get("runtime", "python3"),
        "dependencies": [str(one) for one in told.get("dependencies", [])],
        "digest": hashlib.sha256(content).hexdigest(),
        "content": content,
    }
    triggers = [{"ref": f"{ref}.{name}", "pack_ref": ref} for name in told.get("triggers", [])]
    actions = [
        _action(ref, folder, _mapping(files, name), names)
        for folder in ("actions", "workflows")
        for name in sorted(files)
        if name.startswith(f"{folder}/")
    ]
    sensors = [
        _sensor(ref, _mapping(files, name)) for name in sorted(files) if name.startswith("sensors/")
    ]
    return Content(pack, triggers, actions, sensors)


def _mapping(files: dict[str, str], name: str) -> dict[str, Any]:
    found = yaml.safe_load(files[name])
    if not isinstance(found, dict):
        raise PackError(f"{name} is no mapping")
    return found


def _action(pack: str, folder: str, told: dict[str, Any], names: set[str]) -> dict[str, Any]:
    ref = f"{pack}.{told['name']}"
    runner = told.get("runner", "workflow" if folder == "workflows" else "python")
    concurrency, retry = told.get("concurrency", {}), told.get("retry", {})
    entry_point = f"actions/{told['entry_point']}" if runner == "python" else None
    if runner not in RUNNERS:
        raise PackError(f"{ref}: runner {runner!r} is none of {', '.join(RUNNERS)}")
    if concurrency.get("policy", "enqueue") not in POLICIES:
        raise PackError(f"{ref}: the policy is none of {', '.join(POLICIES)}")
    if entry_point is not None and entry_point not in names:
        raise PackError(f"{ref}: there is no {entry_point}")
    return {
        "ref": ref,
        "pack_ref": pack,
        "runner": runner,
        "entry_point": entry_point,
        "schema": told.get("parameters", {"type": "object"}),
        "tasks": told.get("tasks", []),
        "secrets": told.get("secrets", []),
        "limit": concurrency.get("limit"),
        "policy": concurrency.get("policy", "enqueue"),
        "max_retries": int(retry.get("max_retries", 0)),
        "backoff": float(retry.get("backoff", 1.0)),
        "timeout": float(told.get("timeout", 60.0)),
    }


def _sensor(pack: str, told: dict[str, Any]) -> dict[str, Any]:
    return {
        "ref": f"{pack}.{told['name']}",
        "pack_ref": pack,
        "trigger_ref": f"{pack}.{told['trigger']}",
        "entry_point": f"sensors/{told['entry_point']}",
        "enabled": bool(told.get("enabled", False)),
        "status": SensorState.STOPPED.value,
    }


async def register(session: AsyncSession, content: Content) -> None:
    """Put a pack in the place of its former version."""
    await _keep(session, Pack, [content.pack])
    await _keep(session, Trigger, content.triggers)
    await _keep(session, Action, content.actions)
    sensors = [sensor["ref"] for sensor in content.sensors]
    pack = content.pack["ref"]
    await session.execute(delete(Sensor).where(Sensor.pack_ref == pack, Sensor.ref.not_in(sensors)))
    await _keep(session, Sensor, content.sensors)


async def _keep(session: AsyncSession, table: type[Base], rows: list[dict[str, Any]]) -> None:
    for row in rows:
        changed = {name: value for name, value in row.items() if name != "ref"}
        await session.execute(
            insert(table).values(**row).on_conflict_do_update(index_elements=["ref"], set_=changed)
        )
