"""What runs have left whose reaper could not do its work, and how it is removed.

Only things that carry the run's mark, or stand in its record, are touched; and nothing at all of
a record or folder that somebody else could have written.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stackproof.errors import Refused
from stackproof.reaper import ownership, record
from stackproof.reaper.daemon import KILL_SECONDS
from stackproof.reaper.machine import boot_id, pid_namespace
from stackproof.reaper.ownership import NotOurs
from stackproof.reaper.removal import remove_docker, remove_files
from stackproof.reaper.sweep import ProcessId, kill_descendants, kill_marked
from stackproof.reaper.waking import stopped_reapers, wait_for_end

DRAFT_SECONDS = 60.0
"""A run folder has its record long before that."""

WOKEN_SECONDS = 10.0
"""What a reaper that was stopped gets to do its work."""

REMEDY = (
    "nothing of it was read or removed; have its owner or root remove it, or set "
    "STACKPROOF_STATE_DIR to a folder of your own"
)


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
        intended: Drafts in a cache.
        same_boot: Whether the machine has not been started anew since.
        docker_host: The Docker Engine that may have things of the run; empty for none.
        is_elsewhere: Whether its processes are those of another container of this machine.
    """

    path: Path
    project: str
    run_id: str = ""
    owner: ProcessId | None = None
    reaper: ProcessId | None = None
    supervisor: ProcessId | None = None
    intended: tuple[str, ...] = ()
    same_boot: bool = True
    docker_host: str = ""
    is_elsewhere: bool = False

    @property
    def is_alive(self) -> bool:
        """Whether its reaper or supervisor runs; both clean up by themselves when they end.

        A supervisor that is stopped sees nothing, so that of a dead reaper will never do so. A
        run in another container, whose processes can't be seen from here, counts as alive.
        """
        if not self.same_boot or self.is_elsewhere:
            return self.is_elsewhere
        if self.reaper is not None and self.reaper.is_alive():
            return True
        supervisor = self.supervisor
        return supervisor is not None and supervisor.is_alive() and not supervisor.is_stopped()

    @property
    def is_due(self) -> bool:
        """Whether its reaper has to end it: its owner is dead, or there is no supervisor."""
        if self.is_elsewhere:
            return False
        if self.owner is not None and not self.owner.is_alive():
            return True
        return self.supervisor is not None and not self.supervisor.is_alive()


def read_run(path: Path) -> RunState | None:
    """The state of the run in a folder; None if there is no folder.

    Raises:
        Refused: If somebody else could have made the folder or the record.
    """
    try:
        return _read(path)
    except NotOurs as error:
        raise refused(error) from None


def refused(error: NotOurs) -> Refused:
    """The error for a command that needs what somebody else could have made."""
    return Refused(f"{error.path} is not safe to use", observed=error.why, remedy=REMEDY)


def _read(path: Path) -> RunState | None:
    try:
        with ownership.opened(str(path)) as handle:
            data = ownership.read_in(handle, record.NAME, str(path))
        found = record.Record(data)
    except NotOurs:
        raise
    except NotADirectoryError as error:
        raise NotOurs(str(path), str(error.strerror)) from None
    except (OSError, record.BadRecordError):
        return RunState(path, path.name) if path.is_dir() else None
    same_boot = found.boot_id == boot_id()
    if path.name not in {found.project, f".new-{found.run_id}"}:
        return RunState(path, path.name)
    return RunState(
        path=path,
        project=found.project,
        run_id=found.run_id,
        owner=found.owner,
        reaper=found.reaper,
        supervisor=found.supervisor,
        intended=found.intended,
        same_boot=same_boot,
        is_elsewhere=same_boot and found.pid_namespace not in {"", pid_namespace()},
        docker_host=found.docker_host,
    )


def find_runs(root: Path) -> list[RunState]:
    """Every run below a state root, drafts of run folders that were given up included.

    What somebody else has put there is left out; see `foreign`.

    Args:
        root: The state root.

    Raises:
        Refused: If somebody else could have made the root, or the folder of all runs.
    """
    found = []
    for path in _run_folders(root):
        with suppress(NotOurs):
            state = _read(path)
            is_begun = path.name.startswith(".new-") and state is not None and not state.run_id
            if state is not None and not (is_begun and _is_fresh(path)):
                found.append(state)
    return found


def foreign(root: Path) -> list[str]:
    """What somebody else has put among the runs, a line each; it is neither read nor removed."""
    found = []
    for path in _run_folders(root):
        try:
            _read(path)
        except NotOurs as error:
            found.append(f"{error.path} is not looked at: {error.why}")
    return found


def refuse_foreign_root(root: Path) -> None:
    """Make sure of a state root, and of the folder of all runs in it, as far as they are there.

    Raises:
        Refused: If somebody else could have made one, or can change it.
    """
    for folder in (root, root / "runs"):
        try:
            with ownership.opened(str(folder)):
                pass
        except FileNotFoundError:
            return
        except NotOurs as error:
            raise refused(error) from None
        except NotADirectoryError as error:
            raise refused(NotOurs(str(error.filename), str(error.strerror))) from None


def _run_folders(root: Path) -> Iterator[Path]:
    refuse_foreign_root(root)
    with suppress(OSError):
        yield from sorted((root / "runs").iterdir())


def _is_fresh(path: Path) -> bool:
    """Whether a folder was made just now; one of times to come was not: the clock was set back."""
    with suppress(OSError):
        return abs(time.time() - path.lstat().st_mtime) <= DRAFT_SECONDS
    return False


def clean(root: Path) -> list[str]:
    """Remove what is left of runs that nobody looks after any more.

    Args:
        root: The state root.

    Returns:
        What was removed, a line a run, and what somebody else has put there.
    """
    woken = _wake(root)
    removed = [
        remove_leftover(state)
        for state in find_runs(root)
        if not state.is_alive and state.path.exists()
    ]
    return [*woken, *removed, *foreign(root)]


def _wake(root: Path) -> list[str]:
    """Let stopped reapers go on, and wait for those that have something to end.

    Their records are read first: a reaper that goes on may have removed its own within a moment.
    """
    lines = []
    stopped = [(*found, _has_to_end(*found)) for found in stopped_reapers(root)]
    for reaper, _, _ in stopped:
        reaper.kill(signal.SIGCONT)
    for reaper, folder, has_to_end in stopped:
        if has_to_end and not wait_for_end(reaper, WOKEN_SECONDS):
            reaper.kill()
        outcome = "it has ended its run" if has_to_end else "it goes on"
        lines.append(f"the reaper of {folder.name} (process {reaper.pid}) was stopped; {outcome}")
    return lines


def _has_to_end(reaper: ProcessId, folder: Path) -> bool:
    """Whether a reaper has to end the run in a folder."""
    with suppress(NotOurs):
        state = _read(folder)
        return state is not None and state.reaper == reaper and state.is_due
    return False


def remove_leftover(state: RunState) -> str:
    """End a dead run's processes and remove its files; says what was there."""
    if state.supervisor is not None and state.same_boot and state.supervisor.is_alive():
        kill_descendants(state.supervisor.pid, seconds=KILL_SECONDS)
        state.supervisor.kill()
    known = state.run_id and state.same_boot
    ended = kill_marked(f"STACKPROOF_RUN={state.run_id}") if known else 0
    if state.docker_host:
        root = str(state.path.parents[1])
        said = remove_docker(state.docker_host, state.project, state.run_id, root, dict(os.environ))
        if said:
            return (
                f"could not remove all that a run of {state.project} has left: {said}; "
                f"{state.path} stays, so that the next `invoke clean` can go on"
            )
    kept = remove_files(str(state.path), state.run_id, state.intended)
    processes = f"{ended} process{'es' if ended > 1 else ''} and " if ended else ""
    return f"removed what a run of {state.project} had left: {processes}the folder {state.path}" + (
        f"; {kept}" if kept else ""
    )
