"""The data of a run: laid over those of a snapshot by an overlay, or copied, and seen from outside.

An overlay is mounted for the supervisor and its services alone. Whoever else reads or writes the
data goes by way of the supervisor's root (proc(5), `/proc/PID/root`); paths that services are told
are those inside. Limits of overlays: "Non-standard behavior" in the kernel's documentation.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from stackproof.engines.process.copies import COPIES
from stackproof.errors import StackproofError
from stackproof.reaper.leftovers import read_run
from stackproof.reaper.ownership import make_folders
from stackproof.reaper.run_folder import RunFolder

DATA = "data"
"""Folder of a snapshot."""

OVERLAYS = "~overlays"
"""Folder of a run with what was written to its overlays."""

NOTE = "overlaid.json"
"""File of a run folder with the names of the folders of its data that are overlays."""

RENAMED = "pg_replslot"
"""Folder of PostgreSQL whose folders it renames, which can't be done on an overlay (`EXDEV`)."""


def layers_of(
    snapshot: Path, run: RunFolder, *, without: Collection[str] = ()
) -> list[dict[str, str]]:
    """What the reaper is told to lay over the folders of a snapshot, each a folder of the run.

    Args:
        snapshot: The snapshot's folder.
        run: The run.
        without: Native servers whose data are left out.
    """
    found = sorted(path for path in (snapshot / DATA).iterdir() if path.is_dir())
    return [
        {
            "source": str(path),
            "at": str(run.data / path.name),
            "upper": str(run.path / OVERLAYS / "written" / path.name),
            "work": str(run.path / OVERLAYS / "work" / path.name),
            "seed": "",
        }
        for path in found
        if path.name not in {*without, COPIES} and not _renames_folders(path)
    ]


def _renames_folders(data: Path) -> bool:
    folder = data / RENAMED
    return folder.is_dir() and any(folder.iterdir())


def never_overlaid(snapshot: Path, *, without: Collection[str] = ()) -> list[str]:
    """Why data of a snapshot are copied that no overlay can take.

    Args:
        snapshot: The snapshot's folder.
        without: As for `layers_of`.
    """
    return [
        f"{path.name} has replication slots, and PostgreSQL renames their folders"
        for path in sorted((snapshot / DATA).iterdir())
        if path.name not in without and _renames_folders(path)
    ]


def note_overlaid(
    run: RunFolder, layers: Iterable[Mapping[str, str]], refused: Mapping[str, str]
) -> list[str]:
    """Keep which folders of a run's data are overlays; tells why others are not.

    Args:
        run: The run.
        layers: What was asked for.
        refused: Source to the reason why it could not be had.
    """
    names = [Path(one["at"]).name for one in layers if one["source"] not in refused]
    if names:
        (run.path / NOTE).write_text(json.dumps(names), encoding="utf-8")
    why = [refused[one["source"]] for one in layers if one["source"] in refused]
    return list(dict.fromkeys(why))


def overlaid(run: RunFolder) -> frozenset[str]:
    """The folders of a run's data that are overlays."""
    try:
        return frozenset(json.loads((run.path / NOTE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return frozenset()


def seen_data(run: RunFolder) -> Path:
    """The folder of a run's data as this process can read and write them.

    Raises:
        StackproofError: If they are overlays, and their supervisor has ended.
    """
    if not overlaid(run):
        return run.data
    state = read_run(run.path)
    supervisor = None if state is None else state.supervisor
    if supervisor is None or not supervisor.is_alive():
        raise StackproofError(
            f"the data of {run.project} are gone",
            observed="they were those of its supervisor, which has ended",
            remedy="start the stack again",
        )
    return Path(f"/proc/{supervisor.pid}/root{os.path.realpath(run.data)}")


def can_be_seen(run: RunFolder) -> bool:
    """Whether this process can reach the overlays of a run."""
    try:
        seen = seen_data(run)
        return all(
            (seen / name).stat().st_dev != (run.data / name).stat().st_dev for name in overlaid(run)
        )
    except (OSError, StackproofError):
        return False


def copy_out(run: RunFolder, target: Path) -> None:
    """Copy the data of a run, whose services have been stopped.

    Args:
        run: The run.
        target: Where to; must not exist.

    Raises:
        StackproofError: If they can't be copied.
    """
    copy_data(seen_data(run), target)
    seen_data(run)  # else what was copied may lack something


def lay_out(snapshot: Path, run: RunFolder, *, without: Collection[str] = ()) -> None:
    """Copy what a run gets of a snapshot and has no overlay of.

    Args:
        snapshot: The snapshot's folder, which nobody removes meanwhile.
        run: The run; it must have no data yet, but for its copies and overlays.
        without: Native servers whose data are left out, since another run has them.

    Raises:
        StackproofError: If they can't be copied.
    """
    if not without and not run.data.exists():
        copy_data(snapshot / DATA, run.data)
        return
    make_folders(str(run.data))
    there = {*without, *overlaid(run), COPIES}  # the reaper has laid out the copies
    for path in (snapshot / DATA).iterdir():
        if path.name not in there:
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
