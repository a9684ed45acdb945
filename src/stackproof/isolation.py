"""A stack of one's own: started from the snapshot after seed, and gone when it is not needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from stackproof import lifecycle, snapshots
from stackproof.artifacts import RunArtifacts
from stackproof.blueprint import Blueprint, Choice
from stackproof.engines.base import Say
from stackproof.stack import Stack


@contextmanager
def isolated_stack(
    choice: Choice, say: Say, *, artifacts: RunArtifacts | None = None
) -> Iterator[Stack]:
    """A migrated and seeded copy of a stack that belongs to the block.

    It has a name, ports, folders and data of its own, and goes with the block or with the process.

    Args:
        choice: Which stack, with what environment and limits.
        say: Takes lines of progress.
        artifacts: Where a failed start leaves its logs.
    """
    blueprint = lifecycle.resolve(replace(choice, isolated=True))
    data = _seeded(choice, blueprint, say)
    started = lifecycle.up(blueprint, say, hold=True, artifacts=artifacts, data=data)
    try:
        if data is None:
            lifecycle.migrate(blueprint, started.stack, say)
            lifecycle.seed(blueprint, started.stack, say)
        yield started.stack
    finally:
        lifecycle.down(blueprint, say, force=True)


def _seeded(choice: Choice, blueprint: Blueprint, say: Say) -> Path | None:
    """The snapshot after seed; None where the engine takes none."""
    if not blueprint.engine.takes_snapshots:
        return None
    return snapshots.ensure(blueprint, lambda folder: _make(choice, folder, say))


def _make(choice: Choice, folder: Path, say: Say) -> None:
    """Start an empty copy, migrate and seed it, and take its data."""
    blueprint = lifecycle.resolve(replace(choice, isolated=True))
    say(f"making a snapshot of {blueprint.plan.stack} after migrate and seed")
    started = lifecycle.up(blueprint, say, hold=True)
    try:
        lifecycle.migrate(blueprint, started.stack, say)
        lifecycle.seed(blueprint, started.stack, say)
        blueprint.engine.keep_data(started.stack.plan, blueprint.run)
        snapshots.copy_data(blueprint.run.kept, folder)
    finally:
        lifecycle.down(blueprint, say, force=True)
        blueprint.engine.drop_data(blueprint.run)
