"""The true source of a mount: what the stack file and its volumes name, and what is there."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from stackproof.plan.mounts.model import PlannedMount
from stackproof.stack_file.model import Mount, NamedVolume, StackFile
from stackproof.stack_file.mounts import host_path

Kind = Literal["folder", "file", "missing", "special"]

LIVE = ("/proc", "/sys", "/dev")
SOCKETS = ("/run", "/var/run")
"""Folders of this machine that hold no files to copy."""


def look_at(path: str) -> Kind:
    """What a path of this machine is, links followed."""
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        return "missing"
    except (OSError, ValueError):
        return "special"
    if path == "/" or is_below(path, (*LIVE, *SOCKETS)):
        return "special"
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else "special"


def is_below(path: str, folders: Sequence[str]) -> bool:
    """Whether a path is one of some folders, or lies in one."""
    return any(f"{path}/".startswith(f"{folder}/") for folder in folders)


def mount_from_outside(stack_file: StackFile, mount: Mount) -> PlannedMount | None:
    """The mount with its true source; None for one that the run makes for itself."""
    where = mount.where.short if mount.where else ""
    about = PlannedMount(
        mount.target, "bind", mount.source or "", "keep",
        read_only=mount.read_only, written=mount.written or mount.source or "", where=where,
        is_secret=mount.is_secret,
    )  # fmt: skip
    if mount.kind == "bind":
        return about if mount.content is None else None
    volume = stack_file.volumes.get(mount.source or "") if mount.source else None
    if mount.kind != "volume" or volume is None:
        return None
    if volume.external:
        return replace(about, kind="volume", source=volume.name or mount.source or "")
    device = volume.options.get("device", "")
    if volume.driver in {None, "", "local"}:
        if not volume.options or volume.options.get("type") == "tmpfs":
            return None
        if _is_bind(volume) and device:
            path = str(host_path(device, stack_file.project_directory))
            is_read_only = "ro" in volume.options.get("o", "").split(",")
            return replace(about, source=path, read_only=about.read_only or is_read_only)
    return replace(about, kind="volume", source=mount.source or "")


def _is_bind(volume: NamedVolume) -> bool:
    words = volume.options.get("o", "").split(",")
    return bool({"bind", "rbind"} & set(words)) or volume.options.get("type") == "bind"
