"""What runs have left whose reaper could not do its work, and how it is removed.

Only things that carry the run's mark, or stand in its record, are touched.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackproof.reaper.daemon import (
    boot_id,
    remove_cgroups,
    remove_empty_parents,
    remove_tree,
    say_farewell,
)
from stackproof.reaper.sweep import ProcessId, kill_all, marked

DRAFT_SECONDS = 60.0
"""A run folder that is still being made is complete long before that."""

SWEEPS = 100


@dataclass(frozen=True)
class RunState:
    """What the record of a run says.

    Attributes:
        path: The run folder.
        project: Name of the copy of the stack.
        run_id: Identity of the run; empty where the record can't be read.
        owner: Who holds the lease; None where it was released.
        reaper: The reaper.
        supervisor: The supervisor; None before it was started.
        intended: Paths outside the run folder.
        same_boot: Whether the machine has not been started anew since.
        farewell: The command that removes what is neither process nor file; empty for none.
    """

    path: Path
    project: str
    run_id: str = ""
    owner: ProcessId | None = None
    reaper: ProcessId | None = None
    supervisor: ProcessId | None = None
    intended: tuple[str, ...] = ()
    same_boot: bool = True
    farewell: tuple[str, ...] = ()

    @property
    def is_alive(self) -> bool:
        """Whether its reaper or supervisor runs; both clean up by themselves when they end."""
        if not self.same_boot:
            return False
        return any(one is not None and one.is_alive() for one in (self.reaper, self.supervisor))


def read_run(path: Path) -> RunState | None:
    """The state of the run in a folder; None if there is no folder."""
    try:
        record = json.loads((path / "record.json").read_text(encoding="utf-8"))
        return RunState(
            path=path,
            project=path.name,
            run_id=str(record["run_id"]),
            owner=_process(record["owner"]),
            reaper=_process(record["reaper"]),
            supervisor=_process(record["supervisor"]),
            intended=tuple(str(one) for one in record["intended"]),
            same_boot=record["boot_id"] == boot_id(),
            farewell=tuple(str(one) for one in record.get("farewell", ())),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return RunState(path, path.name) if path.is_dir() else None


def _process(value: Any) -> ProcessId | None:
    return None if value is None else ProcessId(int(value[0]), int(value[1]))


def find_runs(root: Path) -> list[RunState]:
    """Every run below a state root, drafts of run folders that were given up included."""
    found = []
    with suppress(OSError):
        for path in sorted((root / "runs").iterdir()):
            if path.name.startswith(".new-") and not _is_old(path):
                continue
            state = read_run(path)
            if state is not None:
                found.append(state)
    return found


def _is_old(path: Path) -> bool:
    with suppress(OSError):
        return time.time() - path.stat().st_mtime > DRAFT_SECONDS
    return False


def clean(root: Path) -> list[str]:
    """Remove what is left of runs that nobody looks after any more.

    Args:
        root: The state root.

    Returns:
        What was removed, a line a run.
    """
    return [
        remove_leftover(state)
        for state in find_runs(root)
        if not state.is_alive and state.path.exists()
    ]


def remove_leftover(state: RunState) -> str:
    """End a dead run's processes and remove its files; says what was there."""
    ended = _end_marked(state) if state.run_id and state.same_boot else 0
    said = say_farewell(list(state.farewell), dict(os.environ)) if state.farewell else ""
    if said:
        return (
            f"can't remove all that a run of {state.project} had left: {said}; "
            f"{state.path} is kept until the next `invoke clean` can"
        )
    remove_cgroups(str(state.path / "cgroups"))
    for path in state.intended:
        remove_tree(path)
    remove_tree(str(state.path))
    remove_empty_parents(str(state.path))
    processes = f"{ended} processes and " if ended else ""
    return f"removed what a run of {state.project} had left: {processes}the folder {state.path}"


def _end_marked(state: RunState) -> int:
    ended: set[int] = set()
    for _ in range(SWEEPS):
        found = [one for one in marked(f"STACKPROOF_RUN={state.run_id}") if one.pid != os.getpid()]
        if not found:
            break
        ended.update(one.pid for one in found)
        kill_all(found)
        time.sleep(0.005)
    return len(ended)
