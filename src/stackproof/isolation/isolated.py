"""An isolated stack: started from the snapshot after seed, and removed by its owner."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from stackproof import lifecycle
from stackproof.artifacts.run import RunArtifacts
from stackproof.engines.base import Lease, Say
from stackproof.errors import StackproofError, TeardownIncomplete
from stackproof.isolation import snapshots
from stackproof.stack.database import mark_databases
from stackproof.stack.resolved import ResolvedStack, StackRequest
from stackproof.stack.running import Stack
from stackproof.stack.shared_running import Share
from stackproof.waiting import Clock

CLOCK = Clock()

Artifacts = Callable[[ResolvedStack], RunArtifacts]
"""Gives the folder where a failed start of a stack leaves its logs."""


@dataclass
class IsolatedStack:
    """A migrated and seeded copy of a stack that belongs to whoever has opened it.

    Attributes:
        resolved: What it was started from.
        stack: The running stack.
        lease: Ties it to this process.
        started_in: Seconds from the decision to start it until it was ready.
        share: Its parts of servers that it shares.
    """

    resolved: ResolvedStack
    stack: Stack
    lease: Lease | None
    started_in: float
    share: Share | None = None

    def close(self, say: Say) -> None:
        """Stop it and remove everything that it has made.

        Raises:
            TeardownIncomplete: If something is left.
        """
        measured = self.resolved.settings.coverage  # which is written when the services end
        try:
            found = lifecycle.down(self.resolved, say, force=True, disposable=not measured)
        finally:
            self.stack.close()
            if self.lease is not None:
                self.lease.close()
            if self.share is not None:
                self.share.release()
        if not found:
            raise TeardownIncomplete(
                [f"{self.resolved.run.path} disappeared while its stack was in use"]
            )

    def leave_up(self) -> None:
        """Let it outlive this process, until somebody takes it down."""
        with suppress(StackproofError):  # a server that is down; `down --force` needs no marker
            mark_databases(self.stack)
        self.stack.close()
        if self.lease is not None:
            self.lease.release()
            self.lease = None
        if self.share is not None:
            self.share.keep()


def open_stack(
    request: StackRequest,
    say: Say,
    *,
    artifacts: Artifacts | None = None,
    share: Callable[[], Share] | None = None,
    clock: Clock = CLOCK,
) -> IsolatedStack:
    """Start a migrated and seeded copy of a stack, with a name, ports, folders and data of its own.

    It starts from the snapshot after seed, which is made first if there is none.

    Args:
        request: Which stack, with what environment and limits.
        say: Takes lines of progress.
        artifacts: Gives the folder where a failed start leaves its logs.
        share: Gives it parts of servers that it shares with others; None where it shares none.
        clock: Time.

    Raises:
        StackproofError: If it does not start; nothing of it is left then.
    """
    before = clock.now()
    resolved = lifecycle.resolve(replace(request, isolated=True))
    if share is not None:
        parts = share()
        resolved, started = _start_beside(request, resolved, say, parts, artifacts)
        return IsolatedStack(resolved, started.stack, started.lease, clock.now() - before, parts)
    kept = artifacts(resolved) if artifacts else None
    with seeded(request, resolved, say, artifacts) as snapshot:
        started = lifecycle.up(resolved, say, hold=True, artifacts=kept, snapshot=snapshot)
    try:
        if snapshot is None:
            _migrate_and_seed(resolved, started.stack, kept, say)
    except BaseException:
        lifecycle.down(resolved, say, force=True, disposable=True)
        started.let_go()
        raise
    return IsolatedStack(resolved, started.stack, started.lease, clock.now() - before)


def _migrate_and_seed(
    resolved: ResolvedStack, stack: Stack, kept: RunArtifacts | None, say: Say
) -> None:
    with lifecycle.kept_on_failure(resolved, stack, kept, say):
        lifecycle.migrate(resolved, stack, say)
        lifecycle.seed(resolved, stack, say)


def _start_beside(
    request: StackRequest,
    whole: ResolvedStack,
    say: Say,
    share: Share,
    artifacts: Artifacts | None,
) -> tuple[ResolvedStack, lifecycle.Started]:
    """Start the services that a stack does not share, with their data after seed."""
    try:
        resolved = lifecycle.resolve(replace(request, isolated=True, shared=share.parts))
        kept = artifacts(resolved) if artifacts else None
        with seeded(request, whole, say, artifacts) as snapshot:
            started = lifecycle.up(
                resolved, say, hold=True, artifacts=kept, snapshot=snapshot, share=share
            )
    except BaseException:
        share.release()
        raise
    return resolved, started


def seeded(
    request: StackRequest, resolved: ResolvedStack, say: Say, artifacts: Artifacts | None = None
) -> AbstractContextManager[Path | None]:
    """The snapshot after seed; None where there can be none."""
    names = [service.name for service in resolved.plan.services]
    foreign = resolved.engine.snapshots.foreign_data(resolved.stack_file, names)
    if foreign:
        say(
            "note: no snapshot is possible, so this copy is migrated and seeded: "
            + "; ".join(foreign)
        )
        return nullcontext()
    return snapshots.held(resolved, partial(_make, request, say, artifacts), say)


def _make(
    request: StackRequest, say: Say, artifacts: Artifacts | None, publish: snapshots.Publish
) -> None:
    """Start an empty copy, migrate and seed it, and have its data published."""
    resolved = lifecycle.resolve(replace(request, isolated=True, coverage=None))
    say(f"making a snapshot of {resolved.plan.stack} after migrate and seed")
    kept = artifacts(resolved) if artifacts else None
    started = lifecycle.up(resolved, say, hold=True, artifacts=kept)
    try:
        _migrate_and_seed(resolved, started.stack, kept, say)
        keeper, plan, run = resolved.engine.snapshots, started.stack.plan, resolved.run
        publish(
            lambda draft, entry: keeper.take(plan, run, draft, entry, say),
            intend=started.lease.intend if started.lease else None,
        )
    finally:
        lifecycle.down(resolved, say, force=True, disposable=True)
        started.let_go()
