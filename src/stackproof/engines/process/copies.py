"""Which folders and files a run has copies of, laid over their sources in its mount namespace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from stackproof.errors import Refused
from stackproof.plan.model import Plan
from stackproof.plan.mounts.model import PlannedMount
from stackproof.reaper.run_folder import RunFolder

COPIES = "~copies"
"""Folder among a run's data, no name of a service or volume, with what was written to copies."""

NOTE = "copies.json"
"""File of a run folder with the sources that it has copies of."""


def overlays_of(
    plan: Plan, run: RunFolder, *, earlier: Path | None, holes: tuple[Path, ...]
) -> dict[str, object]:
    """What the reaper is told to lay over the sources of mounts.

    Args:
        plan: The plan.
        run: Its run folder.
        earlier: Data folder of a snapshot, or one that was kept; None for a new beginning.
        holes: Further paths that stay as they are, such as that of the artifacts.
    """
    shared = {
        Path(mount.source)
        for service in plan.services
        for mount in service.outside
        if mount.action == "share"
    }
    return {
        "copies": [
            {
                "source": mount.source,
                "upper": str(run.data / COPIES / mount.key),
                "work": str(run.path / COPIES / mount.key),
                "seed": _seed(mount, earlier),
            }
            for mount in _outermost(plan)
        ],
        "holes": [str(path) for path in sorted({*shared, *holes})],
    }


def _seed(mount: PlannedMount, earlier: Path | None) -> str:
    path = earlier / COPIES / mount.key if earlier is not None else None
    return str(path) if path is not None and path.exists() else ""


def _outermost(plan: Plan) -> Iterator[PlannedMount]:
    """Each source once, without those inside another: they are copied with it."""
    found = {
        Path(mount.source): mount
        for service in plan.services
        for mount in service.outside
        if mount.action == "copy"
    }
    for path, mount in found.items():
        if not any(parent in found for parent in path.parents):
            yield mount


def note_copies(plan: Plan, run: RunFolder) -> None:
    """Keep which sources the run was started with: nothing can be laid over another one later."""
    sources = [mount.source for mount in _outermost(plan)]
    (run.path / NOTE).write_text(json.dumps(sources), encoding="utf-8")


def require_copies(plan: Plan, run: RunFolder) -> None:
    """Refuse a service whose writes would reach a source that the run has no copy of.

    Raises:
        Refused: If the stack has to be started anew for it.
    """
    try:
        known = {Path(kept) for kept in json.loads((run.path / NOTE).read_text(encoding="utf-8"))}
    except FileNotFoundError:
        known = set()
    for mount in _outermost(plan):
        if not known & {Path(mount.source), *Path(mount.source).parents}:
            raise Refused(
                f"{mount.label} can't be copied for a stack that is up",
                observed="copies are made when a stack starts, and this one started without it",
                remedy="`invoke up --fresh` takes it down and starts it again",
            )
