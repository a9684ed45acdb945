"""Whose a copy of a stack is: commands work on it from the folder that has started it."""

from __future__ import annotations

from stackproof.errors import Refused
from stackproof.reaper.leftovers import read_run
from stackproof.reaper.takedown import wait_gone
from stackproof.stack.checkout import Checkout, refuse_other_checkout
from stackproof.stack.kept_data import KeptData, read_kept
from stackproof.stack.resolved import ResolvedStack
from stackproof.stack.running_record import RunningRecord, read_about

ENDING_SECONDS = 20.0
"""What the reaper of a run whose owner is dead gets to end it."""


def own_record(resolved: ResolvedStack) -> RunningRecord | None:
    """What the copy was started from; None where it is not up.

    Raises:
        Refused: If it belongs to another checkout.
    """
    run, here = resolved.run, Checkout.of(resolved.settings.root)
    known = read_about(run)
    if known is not None:
        refuse_other_checkout(run.project, known.checkout, here, f"{run.project} belongs")
    return known


def own_kept(resolved: ResolvedStack) -> KeptData | None:
    """What is known of data that were kept of the copy; None where that is nothing.

    Raises:
        Refused: If they belong to another checkout.
    """
    run, here = resolved.run, Checkout.of(resolved.settings.root)
    kept = read_kept(run, resolved.engine.name)
    if kept is not None:
        what = f"the kept data of {run.project} belong"
        refuse_other_checkout(run.project, kept.checkout, here, what)
    return kept


def refuse_other_engine(resolved: ResolvedStack, known: RunningRecord) -> None:
    """Make sure that the engine of a command is the one that runs the copy.

    Raises:
        Refused: If another one runs it.
    """
    if known.engine != resolved.engine.name:
        project = resolved.plan.project
        raise Refused(
            f"{project} is up on the {known.engine} engine",
            observed=f"the {resolved.engine.name} engine was asked for",
            remedy=f"use it with `--engine {known.engine}`, or take it down first: "
            f"`invoke down --engine {known.engine}`",
        )


def await_end_of_dead(resolved: ResolvedStack) -> None:
    """Wait until a run is gone that its reaper is ending, or that was never begun in full.

    Raises:
        Refused: If it stays; what it was started from can't be read.
    """
    run = resolved.run
    state = read_run(run.path)
    if state is None or (state.is_due and wait_gone(run, seconds=ENDING_SECONDS)):
        return
    raise Refused(
        f"{run.project} is there, but what it was started from can't be read",
        observed=f"{run.about} is missing, damaged, or of another version of stackproof",
        remedy=f"take it down: `invoke down --project {run.project}`",
    )
