"""Snapshots on the process engine: a copy of the data folder of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from stackproof.engines.base import Say
from stackproof.engines.cache import content_key
from stackproof.engines.process.control import Control
from stackproof.engines.process.images import image_of, no_steps
from stackproof.engines.process.run_data import DATA, copy_out
from stackproof.engines.saving import save_memory
from stackproof.plan.model import Plan
from stackproof.reaper.ownership import make_folders
from stackproof.reaper.run_folder import RunFolder
from stackproof.stack_file.model import StackFile

LISTING = "listing"
"""A digest of the names, sizes and times of all files: a damaged folder is noticed at once."""


class ProcessSnapshots:
    """Implements `engines.snapshot_keeping.SnapshotKeeper`.

    Args:
        cache: Where programs are copied that a server's user could not reach.
    """

    def __init__(self, cache: Path) -> None:
        self.cache = cache

    def inputs(self, plan: Plan, say: Say) -> list[str]:  # noqa: ARG002 - the protocol's
        """The servers that were really found: their programs and versions, not those asked for."""
        found = []
        for service in plan.services:
            runtime = service.runtime
            if runtime is not None and runtime.kind == "image":
                server = image_of(runtime).locate(runtime, self.cache, no_steps)
                found.append(f"{service.name} {server.name} {server.version} {server.bindir}")
        return sorted(found)

    def foreign_data(self, stack_file: StackFile, services: Sequence[str]) -> list[str]:  # noqa: ARG002 - the protocol's
        """Nothing: native servers always have a data folder of the copy's own."""
        return []

    def take(self, plan: Plan, run: RunFolder, draft: Path, entry: Path, say: Say) -> int:  # noqa: ARG002 - the protocol's
        """Stop a running stack, and copy its data folder."""
        control = Control(run)
        for service in reversed(plan.services):
            problem = save_memory(service)
            if problem:
                say(f"note: {service.name} could not save its data: {problem}")
            control.control("stop", [service.name])
        data = draft / DATA
        if run.data.is_dir():
            copy_out(run, data)
        else:
            make_folders(str(data))
        (draft / LISTING).write_text(_listing(data), encoding="utf-8")
        return sum(path.lstat().st_blocks * 512 for path in data.rglob("*"))

    def fault(self, entry: Path) -> str:
        """Why the data of a snapshot can't be used; empty where they can."""
        try:
            known = (entry / LISTING).read_text(encoding="utf-8")
            return "" if _listing(entry / DATA) == known else "its files are not what they were"
        except OSError as error:
            return str(error)

    def drop(self, entry: Path) -> list[str]:  # noqa: ARG002 - the protocol's
        """Nothing: all is in the snapshot's folder."""
        return []

    def entries(self) -> set[str]:
        """None: all is in the snapshots' folders."""
        return set()


def _listing(folder: Path) -> str:
    return content_key(sorted(_entries(str(folder), ""), key=lambda entry: entry[0].split("/")))


def _entries(folder: str, prefix: str) -> Iterator[tuple[str, int, int]]:
    """Name, size and time of all files and links below a folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(entry.path, f"{name}/")
            elif not entry.is_dir():
                about = entry.stat(follow_symlinks=False)
                yield name, about.st_size, about.st_mtime_ns
