"""The end of a stack: its services stop, and everything that it made is removed."""

from __future__ import annotations

from dataclasses import replace

from stackproof.engines.base import Engine, Say
from stackproof.errors import NoAnswer, NoStack, Refused
from stackproof.lifecycle.belonging import own_kept, own_record, refuse_other_engine
from stackproof.plan.addressing.guard import refuse_foreign_targets
from stackproof.plan.model import Plan
from stackproof.reaper.leftovers import read_run
from stackproof.reaper.lock import ProjectLock
from stackproof.reaper.run_folder import RunFolder
from stackproof.stack.checkout import Checkout
from stackproof.stack.database import require_marker
from stackproof.stack.kept_data import KeptData, forget_kept, note_kept, origins_of
from stackproof.stack.resolved import ResolvedStack
from stackproof.stack.running import Stack
from stackproof.stack.running_record import RunningRecord


def down(
    resolved: ResolvedStack,
    say: Say,
    *,
    force: bool = False,
    keep_data: bool = False,
    disposable: bool | None = None,
) -> bool:
    """Stop a stack and remove everything that it has made.

    Args:
        resolved: Which.
        say: Takes lines of progress.
        force: Also if a database has lost its marker, or a service would reach what is not the
            stack's own.
        keep_data: Leave the data for the next `up`.
        disposable: Nobody wants the data, so the services are killed instead of stopped in order;
            None for that where nothing is lost by it.

    Returns:
        Whether there was something to take down.

    Raises:
        Refused: If it belongs to another checkout; if a database has no marker, unless forced.
        TeardownIncomplete: If something is left after all.
    """
    project = resolved.plan.project
    with ProjectLock(resolved.run, resolved.request.environment):
        known = own_record(resolved)
        if read_run(resolved.run.path) is None:
            if keep_data or not drop_kept(resolved):
                return False
            say(f"removed the kept data of {project}")
            return True
        if known is not None:
            refuse_other_engine(resolved, known)
        if not force:
            refuse_foreign_targets(resolved.plan, "down")
            _require_marker_if_it_answers(resolved)
        end_run(
            resolved.engine,
            resolved.plan,
            resolved.run,
            say,
            keep=_kept(resolved, known) if keep_data else None,
            disposable=not keep_data and is_disposable(resolved)
            if disposable is None
            else disposable,
        )
    return True


def is_disposable(resolved: ResolvedStack) -> bool:
    """Whether nothing is lost if services are killed whose data are removed.

    That is not so where they write to what stays: a mount that is shared with them, a host outside
    the stack, the measurement of their coverage, which is written when they end.
    """
    settings = resolved.settings
    shares = any(
        mount.action == "share" and not mount.read_only
        for service in resolved.plan.services
        for mount in service.outside
    )
    return not (shares or settings.external or settings.coverage)


def end_run(
    engine: Engine,
    plan: Plan,
    run: RunFolder,
    say: Say,
    *,
    keep: KeptData | None,
    disposable: bool = False,
) -> None:
    """Stop a run's services and remove everything that it has made.

    Args:
        engine: What runs it.
        plan: Its services.
        run: The run.
        say: Takes lines of progress.
        keep: What is noted of its data for the next `up`; None to remove them.
        disposable: Kill the services instead of stopping them in order.
    """
    rest = "nothing of it is left"
    if keep is not None:
        if engine.keep_data(plan, run):
            note_kept(run, engine.name, keep)
            rest = "its data are kept for the next `invoke up`"
        else:
            rest = "it had no data to keep"
    engine.shut_down(run, stop_seconds(plan), say, disposable=disposable)
    say(f"{run.project} is down; {rest}")


def drop_kept(resolved: ResolvedStack) -> bool:
    """Remove data that were kept of an earlier run; tells whether there were any.

    Raises:
        Refused: If they belong to another checkout, unless `--project` names them.
    """
    if resolved.request.project is None:  # else the person has named it
        own_kept(resolved)
    dropped = resolved.engine.drop_data(resolved.run)
    forget_kept(resolved.run, resolved.engine.name)
    return dropped


def _kept(resolved: ResolvedStack, known: RunningRecord | None) -> KeptData:
    """What is noted of the data of a running copy: what it was started from, not what is now."""
    origins = origins_of(resolved.plan) if known is None else known.origins
    return KeptData(Checkout.of(resolved.settings.root), origins)


def _require_marker_if_it_answers(resolved: ResolvedStack) -> None:
    try:
        stack = Stack(resolved.plan, resolved.engine.attach(resolved.plan, resolved.run))
        well = {
            state.name
            for state in stack.running.status()
            if state.is_well and stack.running.owns_data(state.name)
        }
    except (NoAnswer, NoStack):
        return
    reachable = tuple(service for service in stack.plan.services if service.name in well)
    try:
        require_marker(Stack(replace(stack.plan, services=reachable), stack.running), "down")
    except NoStack as error:
        raise Refused(
            f"down is refused: {error.what}, though its service runs",
            observed=error.observed,
            remedy="`invoke down --force` takes the stack down without asking its databases",
        ) from None


def stop_seconds(plan: Plan) -> float:
    """Upper bound of an orderly stop: services stop one after the other along a chain."""
    return 5.0 + sum(service.stop_grace for service in plan.services)
