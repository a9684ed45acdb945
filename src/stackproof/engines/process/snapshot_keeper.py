"""Snapshots on the process engine: a copy of the data folder of a run."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from stackproof.engines.base import Say
from stackproof.engines.cache import content_key
from stackproof.engines.process.control import Control
from stackproof.engines.process.copies import COPIES
from stackproof.engines.saving import save_memory
from stackproof.errors import StackproofError
from stackproof.plan.model import Plan
from stackproof.reaper.ownership import make_folders
from stackproof.reaper.run_folder import RunFolder
from stackproof.stack_file.model import StackFile

DATA = "data"
LISTING = "listing"
"""A digest of the names, sizes and times of all files: a damaged folder is noticed at once."""


class ProcessSnapshots:
    """Implements `engines.base.SnapshotKeeper`."""

    def inputs(self, plan: Plan, say: Say) -> list[str]:  # noqa: ARG002 - the protocol's
        """The kinds and versions of the servers that run natively."""
        runtimes = [one.runtime for one in plan.services if one.runtime is not None]
        return sorted(
            f"{one.image} {one.version} {one.bindir}" for one in runtimes if one.kind == "image"
        )

    def foreign_data(self, stack_file: StackFile, services: Sequence[str]) -> list[str]:  # noqa: ARG002 - the protocol's
        """Nothing: native servers always have a data folder of the copy's own."""
        return []

    def take(self, plan: Plan, run: RunFolder, draft: Path, entry: Path, say: Say) -> int:  # noqa: ARG002 - the protocol's
        """Stop a running stack, and copy its data folder."""
        control = Control(run)
        for service in reversed(plan.services):
            problem = save_memory(service)
            if problem:
                say(f"note: {service.name} would not save its data: {problem}")
            control.stop([service.name])
        data = draft / DATA
        if run.data.is_dir():
            copy_data(run.data, data)
        else:
            make_folders(str(data))
        (draft / LISTING).write_text(_listing(data), encoding="utf-8")
        return sum(one.lstat().st_blocks * 512 for one in data.rglob("*"))

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


def lay_out(snapshot: Path, run: RunFolder, *, without: Collection[str] = ()) -> None:
    """Give a run the data of a snapshot to start with.

    Args:
        snapshot: The snapshot's folder, which nobody removes meanwhile.
        run: The run; it must have no data yet, but for its copies.
        without: Native servers whose data are left out, since another run has them.

    Raises:
        StackproofError: If they can't be copied.
    """
    if not without and not run.data.exists():
        copy_data(snapshot / DATA, run.data)
        return
    make_folders(str(run.data))
    for path in (snapshot / DATA).iterdir():
        if path.name not in {*without, COPIES}:  # the reaper has laid out the copies
            copy_data(path, run.data / path.name)


def take_back(run: RunFolder) -> None:
    """Give a run the data that an earlier one has kept."""
    make_folders(str(run.data))
    for path in run.kept.iterdir():
        if path.name != COPIES:  # the reaper has laid out the copies
            path.rename(run.data / path.name)
    shutil.rmtree(run.kept)
    with contextlib.suppress(OSError):  # others have kept data as well
        run.kept.parent.rmdir()


def copy_data(source: Path, target: Path) -> None:
    """Copy a data folder, sharing blocks where the file system can.

    Args:
        source: The folder.
        target: Where to; must not exist.

    Raises:
        StackproofError: If it can't be copied.
    """
    flags = ("-ac",) if sys.platform == "darwin" else ("-a", "--reflink=auto")
    done = subprocess.run(
        ["cp", *flags, str(source), str(target)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise StackproofError(
            f"the data of a snapshot could not be copied to {target}",
            observed=done.stderr.strip(),
            remedy="`invoke snapshots --clear` removes all of them; they are made again",
        )


def _listing(folder: Path) -> str:
    found = [
        (str(path.relative_to(folder)), about.st_size, about.st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if not path.is_dir() and (about := path.lstat())
    ]
    return content_key(found)
