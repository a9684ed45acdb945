"""The start of a stack: from a plan to services that are all ready, or to nothing."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from stackproof.artifacts.run import RunArtifacts, new_run
from stackproof.artifacts.service_coverage import coverage_environment
from stackproof.engines.base import Copies, Launch, Lease, Say
from stackproof.errors import NotReady, ServiceExited, StackproofError, TeardownIncomplete
from stackproof.errors.starting import logs_of_running
from stackproof.lifecycle.belonging import await_end_of_dead, own_kept, own_record
from stackproof.lifecycle.describing import SUITE, keep_start
from stackproof.lifecycle.ending import drop_kept, is_disposable, stop_seconds
from stackproof.lifecycle.strictness import refuse_weak_world, require_enforced
from stackproof.lifecycle.taken_ports import refuse_taken_ports
from stackproof.lifecycle.updating import update
from stackproof.plan.addressing.guard import refuse_foreign_targets
from stackproof.plan.mounts.settling import without_copies
from stackproof.reaper.lock import ProjectLock
from stackproof.reaper.takedown import take_down
from stackproof.settings.storage import storage_errors
from stackproof.stack.database import mark_databases
from stackproof.stack.kept_data import forget_kept, read_kept, refuse_unfit
from stackproof.stack.resolved import ResolvedStack
from stackproof.stack.running import Stack
from stackproof.stack.running_record import write_about
from stackproof.stack.shared_running import Share, SharedRunning
from stackproof_redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Started:
    """A stack that is up.

    Attributes:
        stack: The stack.
        lease: Ties it to this process; None where it is to stay.
    """

    stack: Stack
    lease: Lease | None

    def let_go(self) -> None:
        """Close the lease of a stack that is down by now."""
        if self.lease is not None:
            self.lease.close()


@storage_errors()
def up(
    resolved: ResolvedStack,
    say: Say,
    *,
    fresh: bool = False,
    hold: bool = False,
    artifacts: RunArtifacts | None = None,
    snapshot: Path | None = None,
    share: Share | None = None,
) -> Started:
    """Start a stack and wait until every service is ready.

    Args:
        resolved: What to start.
        say: Takes lines of progress.
        fresh: Take a running copy down first, and remove data that were kept of it.
        hold: Keep the lease: the stack ends with this process. Else it stays until `down`.
        artifacts: Where a failed start leaves its logs; None for a new folder.
        snapshot: Folder of a snapshot to start from; None for empty data.
        share: Servers that it shares, which are not started.

    Raises:
        Refused: If a service would reach what is not the stack's own, or the copy belongs to
            another checkout.
        StartFailed: If a service does not become ready, or the stack is to be strict and something
            is open; the stack is taken down again.
        StackBusy: If another command works on the same copy.
    """
    _refuse(resolved)
    with ProjectLock(resolved.run, resolved.request.environment):
        known = own_record(resolved)
        if known is not None and not (fresh or not known.is_complete):
            updated = update(resolved, known, say)
            require_enforced(resolved, updated, stays=True)
            keep_start(resolved, updated, say)
            return Started(updated, None)
        if known is not None:
            resolved = resolved.anew()
            _refuse(resolved)
            say(f"taking down {resolved.plan.project} first")
            engine = resolved.engine_of(known.engine)
            seconds, disposable = stop_seconds(resolved.plan), is_disposable(resolved)
            engine.shut_down(resolved.run, seconds, say, disposable=disposable)
        await_end_of_dead(resolved)
        kept = own_kept(resolved)
        if fresh and drop_kept(resolved):
            say(f"removed the kept data of {resolved.plan.project}")
        elif kept is not None:
            refuse_unfit(f"the kept data of {resolved.run.project}", kept.origins, resolved.plan)
        return _start(resolved, say, hold=hold, artifacts=artifacts, snapshot=snapshot, share=share)


def _refuse(resolved: ResolvedStack) -> None:
    """Refuse what must not start, before anything does."""
    refuse_foreign_targets(resolved.plan, "up")
    refuse_weak_world(resolved)


def _start(
    resolved: ResolvedStack,
    say: Say,
    *,
    hold: bool,
    artifacts: RunArtifacts | None,
    snapshot: Path | None,
    share: Share | None,
) -> Started:
    if not resolved.request.shares_no_port:  # else it gets free ones
        refuse_taken_ports(resolved)
    for notice in resolved.plan.notices:
        say(f"note: {notice}")
    run, engine = resolved.run, resolved.engine
    holes = (resolved.settings.artifacts, resolved.settings.cache)
    data = resolved.settings.isolation.data
    lease = engine.open(run, say, Copies(resolved.plan.unshared, snapshot, holes, data))
    try:
        resolved.keep_secrets()
        for line in without_copies(resolved.plan, lease.refused)[1]:
            say(f"note: {line}")
        resolved = _with_claimed_ports(resolved, lease)
        record = resolved.record(files=not hold)
        write_about(run, record)
        running = engine.start(_launch(resolved, say, snapshot))
        if share is not None:
            running = SharedRunning(resolved.plan, running, share.running)
        stack = Stack(resolved.plan, running)
        with kept_on_failure(resolved, stack, artifacts, say):
            running.wait_ready(resolved.settings.timeouts.start, say)
            require_enforced(resolved, stack)
            if snapshot is None or not hold:  # a test's own is marked when it is left up
                mark_databases(stack)
            stack.require_alive()
        write_about(run, replace(record, is_complete=True))
        forget_kept(run, engine.name)  # they are the run's own by now
    except BaseException as error:
        lost = lease.lost() if isinstance(error, Exception) else None
        _take_down_failed(resolved, say)
        lease.close()
        if lost is not None:
            raise lost from error
        raise
    if not hold:
        lease.release()
        keep_start(resolved, stack, say)
    return Started(stack, lease if hold else None)


def _take_down_failed(resolved: ResolvedStack, say: Say) -> None:
    """Take down a start that has failed; data that an earlier run has kept stay kept."""
    run, engine = resolved.run, resolved.engine
    kept = read_kept(run, engine.name) is not None
    if kept and not run.kept.is_dir():  # they were taken into use
        with suppress(StackproofError):
            engine.keep_data(resolved.plan, run)
    try:
        take_down(run, seconds=stop_seconds(resolved.plan))
    except TeardownIncomplete as left:  # the first error is the one to be raised
        say(str(left))
    else:
        rest = "the data that were kept stay" if kept else "nothing of it is left"
        say(f"{run.project} is down; {rest}")


def _with_claimed_ports(resolved: ResolvedStack, lease: Lease) -> ResolvedStack:
    wanted = resolved.needed_ports()
    return resolved.with_ports(dict(zip(wanted, lease.claim_ports(len(wanted)), strict=True)))


def _launch(resolved: ResolvedStack, say: Say, snapshot: Path | None) -> Launch:
    isolation, asked = resolved.settings.isolation, resolved.request.service_limits
    tried = [name for name, limits in asked.items() if limits.memory is not None]
    return Launch(
        resolved.plan.unshared,
        resolved.run,
        say,
        _extra_env(resolved),
        snapshot,
        forks=resolved.request.isolated and isolation.preload == "auto",
        cold=(*isolation.cold, *tried),
    )


def _extra_env(resolved: ResolvedStack) -> Mapping[str, Mapping[str, str]]:
    """Variables that make Python processes measure their coverage, by service."""
    folder, found = resolved.request.coverage, {}
    if folder is None or not resolved.settings.coverage:
        return {}
    for service in resolved.plan.services:
        runtime, world = service.runtime, service.world
        if runtime is None or runtime.own_environment:
            continue
        roots = {
            root: [(world.seen_at(root) if world is not None else None) or str(root)]
            for root in runtime.source_roots
        }
        found[service.name] = coverage_environment(
            folder, resolved.plan.project, service.name, roots,
            by_others=world is not None and world.user.uid != 0,
        ) or {}  # fmt: skip
    return found


@contextmanager
def kept_on_failure(
    resolved: ResolvedStack, stack: Stack, artifacts: RunArtifacts | None, say: Say
) -> Iterator[None]:
    """Keep the logs of a stack that is about to be removed if what is done with it fails.

    Args:
        resolved: What it was started from.
        stack: The stack.
        artifacts: Where to keep them; None for a new folder.
        say: Takes lines of progress.
    """
    try:
        yield
    except StackproofError as failure:
        from stackproof.artifacts.forensics import collect

        redactor = Redactor(resolved.plan.secrets)
        kept = artifacts or new_run(resolved.settings.artifacts, SUITE, redactor)
        try:
            collect(stack, kept)
        except (StackproofError, OSError) as error:
            say(f"the logs could not be kept: {error}")
        else:
            _point_to_logs(failure, kept.folder / "logs")
            say(f"logs of all services: {kept.folder / 'logs'}")
        raise


def _point_to_logs(failure: StackproofError, logs: Path) -> None:
    """Let the error of a start lead to what was kept: the stack itself is about to be removed."""
    if not isinstance(failure, NotReady | ServiceExited):
        return
    log, others = logs / f"{failure.service}.log", failure.remedy
    if others == logs_of_running(failure.service):
        others = "" if log.exists() else "it wrote nothing: check its command"
    kept = f"its whole log is {log}" if log.exists() else ""
    failure.remedy = "; ".join(filter(None, [others, kept]))
