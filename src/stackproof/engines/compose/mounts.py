"""The mounts of a Compose model as the plan has decided them. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stackproof.errors import Refused
from stackproof.plan.model import Plan, ServicePlan
from stackproof.plan.mounts.model import PlannedMount
from stackproof.stack_file.granted_files import FOLDERS

Model = dict[str, Any]

COPIES = "copies"
"""Folder of a run with its copies of single files."""


def copied_files(plan: Plan) -> Iterator[tuple[PlannedMount, Path]]:
    """The single files that the run has copies of, and where."""
    for service in plan.services:
        for mount in service.outside:
            if mount.action == "copy" and mount.is_file:
                yield mount, plan.run_folder / COPIES / mount.key


def copied_folders(plan: Plan) -> dict[str, PlannedMount]:
    """The folders and volumes that the run has copies of, by the name of the copy."""
    return {
        mount.key: mount
        for service in plan.services
        for mount in service.outside
        if mount.action == "copy" and not mount.is_file
    }


def grant_files(service: Model, resolved: Model) -> None:
    """Mount the files of `secrets` and `configs` as Compose does, so that they are decided too.

    Args:
        service: The service in the model.
        resolved: The whole of what Compose has read.
    """
    for kind, folder in FOLDERS.items():
        for grant in service.pop(kind, None) or ():
            target = posixpath.join(folder, grant.get("target") or grant["source"])
            source = resolved[kind][grant["source"]].get("file")
            if source is None:  # the engine brings its content into the container
                continue
            mount = {"type": "bind", "source": source, "target": target, "read_only": True}
            service["volumes"] = [*(service.get("volumes") or ()), mount]


def own_mounts(service: Model, planned: ServicePlan, volumes: Mapping[str, Any], run: Path) -> None:
    """Change the mounts of a service so that it writes to nothing that is not the run's.

    Args:
        service: The service in the model.
        planned: The same in the plan.
        volumes: The top-level volumes of the model.
        run: The run folder.

    Raises:
        Refused: If there is a mount that the plan has not decided on.
    """
    if not service.get("volumes"):
        return
    decided = {mount.target: mount for mount in planned.outside}
    service["volumes"] = [_mount(volume, decided, planned.name, volumes, run)
                          for volume in service["volumes"]]  # fmt: skip


def _mount(
    mount: Model,
    decided: Mapping[str, PlannedMount],
    service: str,
    volumes: Mapping[str, Any],
    run: Path,
) -> Model:
    target = posixpath.normpath(mount["target"])
    known = decided.get(target)
    if known is None:
        _refuse_unknown(mount, service, volumes)
        return mount
    read_only = {"read_only": True} if known.read_only else {}
    if known.action == "fresh" or (known.action == "copy" and not known.is_file):
        keeps_image_files = known.action == "fresh" and known.is_data
        options = {} if keeps_image_files else {"nocopy": True}
        return {"type": "volume", "source": known.key, "target": target, "volume": options,
                **read_only}  # fmt: skip
    if known.action == "copy":
        source = str(run / COPIES / known.key)
        return {"type": "bind", "source": source, "target": target, **read_only}
    if known.kind == "bind" and mount["type"] == "volume":  # a volume that is a bind of a folder
        return {"type": "bind", "source": known.source, "target": target, **read_only}
    return {**mount, **read_only}


def _refuse_unknown(mount: Model, service: str, volumes: Mapping[str, Any]) -> None:
    about = volumes.get(mount.get("source") or "") or {}
    options = about.get("driver_opts") or {}
    if mount["type"] in {"volume", "tmpfs"} and not about.get("external") and (
        not options or options.get("type") == "tmpfs"
    ):  # fmt: skip
        return
    raise Refused(
        f"{service} has a mount at {mount['target']} that stackproof does not know",
        observed=f"Docker Compose reads {mount.get('source')} there; the stack file was read "
        "otherwise",
        remedy="write the mount in the short form, source:/target",
    )


def own_volumes(plan: Plan, labels: Mapping[str, str]) -> dict[str, Model]:
    """The empty places and the copies of a run, as volumes of the model.

    Args:
        plan: The plan.
        labels: What they are marked with.
    """
    fresh = {
        mount.key
        for service in plan.services
        for mount in service.outside
        if mount.action == "fresh"
    }
    empty = {key: {"name": f"{plan.project}_{key}", "labels": dict(labels)} for key in fresh}
    copies = {
        key: {"name": f"{plan.project}_{key}", "external": True} for key in copied_folders(plan)
    }
    return {**empty, **copies}


def in_use(model: Model) -> set[str]:
    """The volumes that some service of a model mounts."""
    return {
        mount["source"]
        for service in model["services"].values()
        for mount in service.get("volumes") or []
        if mount.get("type") == "volume" and mount.get("source")
    }
