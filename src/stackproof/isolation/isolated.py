"""A stack of one's own: started from the snapshot after seed, and gone when it is not needed."""

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
from stackproof.stack.resolved import Blueprint, Choice
from stackproof.stack.running import Stack
from stackproof.stack.shared_running import Share
from stackproof.waiting import Clock

CLOCK = Clock()


@dataclass
class OwnStack:
    """A migrated and seeded copy of a stack that belongs to whoever has opened it.

    Attributes:
        blueprint: What it was started from.
        stack: The running stack.
        lease: Ties it to this process.
        started_in: Seconds from the decision to start it until it was ready.
        share: Its parts of servers that it shares.
    """

    blueprint: Blueprint
    stack: Stack
    lease: Lease | None
    started_in: float
    share: Share | None = None

    def close(self, say: Say) -> None:
        """Stop it and remove everything that it has made.

        Raises:
            TeardownIncomplete: If something is left.
        """
        try:
            found = lifecycle.down(self.blueprint, say, force=True, disposable=True)
        finally:
            self.stack.close()
            if self.share is not None:
                self.share.release()
        if not found:
            raise TeardownIncomplete([f"{self.blueprint.run.path}, which has gone by itself"])

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
    choice: Choice,
    say: Say,
    *,
    artifacts: Callable[[Blueprint], RunArtifacts] | None = None,
    share: Callable[[], Share] | None = None,
    clock: Clock = CLOCK,
) -> OwnStack:
    """Start a migrated and seeded copy of a stack, with a name, ports, folders and data of its own.

    It starts from the snapshot after seed, which is made first if there is none.

    Args:
        choice: Which stack, with what environment and limits.
        say: Takes lines of progress.
        artifacts: Gives the folder where a failed start leaves its logs.
        share: Gives it parts of servers that it shares with others; None where it shares none.
        clock: Time.

    Raises:
        StackproofError: If it does not start; nothing of it is left then.
    """
    before = clock.now()
    blueprint = lifecycle.resolve(replace(choice, isolated=True))
    if share is not None:
        lent = share()
        blueprint, started = _start_beside(choice, blueprint, say, lent, artifacts)
        return OwnStack(blueprint, started.stack, started.lease, clock.now() - before, lent)
    kept = artifacts(blueprint) if artifacts else None
    with seeded(choice, blueprint, say) as snapshot:
        started = lifecycle.up(blueprint, say, hold=True, artifacts=kept, snapshot=snapshot)
    try:
        if snapshot is None:
            lifecycle.migrate(blueprint, started.stack, say)
            lifecycle.seed(blueprint, started.stack, say)
    except BaseException:
        lifecycle.down(blueprint, say, force=True, disposable=True)
        raise
    return OwnStack(blueprint, started.stack, started.lease, clock.now() - before)


def _start_beside(
    choice: Choice,
    whole: Blueprint,
    say: Say,
    share: Share,
    artifacts: Callable[[Blueprint], RunArtifacts] | None,
) -> tuple[Blueprint, lifecycle.Started]:
    """Start the services that a stack does not share, with their data after seed."""
    try:
        blueprint = lifecycle.resolve(replace(choice, isolated=True, shared=share.parts))
        kept = artifacts(blueprint) if artifacts else None
        with seeded(choice, whole, say) as snapshot:
            started = lifecycle.up(
                blueprint, say, hold=True, artifacts=kept, snapshot=snapshot, share=share
            )
    except BaseException:
        share.release()
        raise
    return blueprint, started


def seeded(choice: Choice, blueprint: Blueprint, say: Say) -> AbstractContextManager[Path | None]:
    """The snapshot after seed; None where there can be none."""
    names = [one.name for one in blueprint.plan.services]
    foreign = blueprint.engine.snapshots.foreign_data(blueprint.stack_file, names)
    if foreign:
        say(f"note: no snapshot, so this copy is migrated and seeded: {'; '.join(foreign)}")
        return nullcontext()
    return snapshots.held(blueprint, partial(_make, choice, say), say)


def _make(choice: Choice, say: Say, publish: snapshots.Publish) -> None:
    """Start an empty copy, migrate and seed it, and have its data published."""
    blueprint = lifecycle.resolve(replace(choice, isolated=True))
    say(f"making a snapshot of {blueprint.plan.stack} after migrate and seed")
    started = lifecycle.up(blueprint, say, hold=True)
    try:
        lifecycle.migrate(blueprint, started.stack, say)
        lifecycle.seed(blueprint, started.stack, say)
        keeper, plan, run = blueprint.engine.snapshots, started.stack.plan, blueprint.run
        publish(
            lambda draft, entry: keeper.take(plan, run, draft, entry, say),
            intend=started.lease.intend if started.lease else None,
        )
    finally:
        lifecycle.down(blueprint, say, force=True, disposable=True)
