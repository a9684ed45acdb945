"""Ends a run for certain: its reaper is asked first, then forced, then its work is done here."""

from __future__ import annotations

import time

from stackproof.errors import Refused, TeardownIncomplete
from stackproof.reaper.lease import launched
from stackproof.reaper.leftovers import RunState, read_run, remove_leftover
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.sweep import ProcessId
from stackproof.reaper.waking import wait_for_end

ESCALATION_SECONDS = 5.0


def wait_gone(run: RunFolder, *, seconds: float) -> bool:
    """Wait until a run's reaper has ended and its folder is removed.

    Args:
        run: The run.
        seconds: How long to wait at the most.

    Returns:
        Whether both are gone.
    """
    for reaper in _reapers(run):
        wait_for_end(reaper, seconds)
    end = time.monotonic() + 0.5
    while run.path.exists() and time.monotonic() < end:
        time.sleep(0.005)
    return not run.path.exists()


def ensure_gone(run: RunFolder, *, seconds: float, forced: float) -> None:
    """Wait until a run that has been told to end is gone, then end it by force.

    Args:
        run: The run.
        seconds: How long to wait for its reaper.
        forced: What the services get to end in an orderly way after that.

    Raises:
        TeardownIncomplete: If something is left after all.
    """
    if not wait_gone(run, seconds=seconds):
        take_down(run, seconds=forced)


def _reapers(run: RunFolder) -> list[ProcessId]:
    """The reaper that the record names, and those of this process, which outlive the record."""
    state = read_run(run.path)
    recorded = None if state is None else state.reaper
    own = [started.reaper for started in launched() if started.run.path == run.path]
    return [reaper for reaper in dict.fromkeys((recorded, *own)) if reaper is not None]


def take_down(run: RunFolder, *, seconds: float) -> None:
    """End a run for certain: ask its reaper, then force it, then do its work.

    Args:
        run: The run; nothing happens if it is gone.
        seconds: What the services get to end in an orderly way.

    Raises:
        TeardownIncomplete: If something is left after all.
        Refused: If its processes are those of another container.
    """
    state = read_run(run.path)
    if state is None:
        wait_gone(run, seconds=seconds)
        return
    if state.is_elsewhere:
        raise Refused(
            f"{run.project} runs in another container of this machine",
            observed=f"the record in {run.path} names processes that can't be seen from here",
            remedy="take it down there, or remove the folder once that container is gone",
        )
    if state.supervisor is not None and state.supervisor.is_stopped():
        state.supervisor.kill(9)  # it can't stop anything in order
    if state.reaper is not None and state.reaper.kill(15) and wait_gone(run, seconds=seconds):
        return
    for process in (state.supervisor, state.reaper):
        if process is not None:
            process.kill(9)
    _wait_until_dead(state)
    said = remove_leftover(state) if run.path.exists() else ""
    if run.path.exists():
        raise TeardownIncomplete([said, f"the folder {run.path}"])


def _wait_until_dead(state: RunState) -> None:
    for process in (state.supervisor, state.reaper):
        if process is not None:
            wait_for_end(process, ESCALATION_SECONDS)
