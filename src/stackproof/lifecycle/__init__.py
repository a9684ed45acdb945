"""The life of a stack: settings and stack file → plan → up → migrate → seed → reset → down."""

from __future__ import annotations

from contextlib import closing

from stackproof.engines.base import Say
from stackproof.engines.unfinished import sweep_cache
from stackproof.errors import StackproofError
from stackproof.lifecycle.belonging import own_record, refuse_other_engine
from stackproof.lifecycle.commands import migrate, seed
from stackproof.lifecycle.ending import down
from stackproof.lifecycle.recorded import (
    RecordedStack,
    going_on,
    of_another_checkout,
    recorded_stack,
)
from stackproof.lifecycle.starting import Started, kept_on_failure, up
from stackproof.lifecycle.updating import restart
from stackproof.plan.addressing.guard import refuse_foreign_targets
from stackproof.reaper.leftovers import clean as clean_leftovers
from stackproof.reaper.lock import ProjectLock
from stackproof.reaper.run_folder import RunFolder, state_root
from stackproof.reaper.takedown import take_down
from stackproof.settings import ensure_env_file
from stackproof.settings.storage import storage_errors
from stackproof.stack.database import require_marker
from stackproof.stack.resolved import ResolvedStack, StackRequest, resolve
from stackproof.stack.running import Stack

__all__ = [
    "RecordedStack", "ResolvedStack", "StackRequest", "Started", "build", "connect", "down",
    "kept_on_failure", "migrate", "prepare", "prepare_or_record", "reset", "resolve", "restart",
    "seed", "up",
]  # fmt: skip

GONE_SECONDS = 10.0


def prepare_or_record(request: StackRequest, say: Say) -> ResolvedStack | RecordedStack:
    """The same for commands that must work though the files of a project are broken or deleted.

    They go on from the record of what runs. So do those whose `--project` names a run that was
    started from another folder.
    """
    if of_another_checkout(request):
        found = recorded_stack(request)
        if found is not None:
            return found
    try:
        return prepare(request, say)
    except StackproofError as error:
        found = recorded_stack(request)
        if found is None:
            raise
        for line in going_on(found, error):
            say(line)
        return found


@storage_errors()
def prepare(request: StackRequest, say: Say) -> ResolvedStack:
    """What every command does first: leftovers are removed, the env file is made, all is read."""
    for line in clean_leftovers(state_root(request.environment)):
        say(line)
    if ensure_env_file(request.root):
        say("created .env.integration from .env.integration.example")
    resolved = resolve(request)
    for line in sweep_cache(resolved.settings.cache):
        say(line)
    return resolved


def connect(resolved: ResolvedStack | RecordedStack) -> Stack:
    """The running copy of a stack.

    Raises:
        NoStack: If it is not up.
        Refused: If it belongs to another checkout, or another engine runs it.
    """
    if isinstance(resolved, RecordedStack):
        return resolved.connect()
    known = own_record(resolved)
    if known is not None:
        refuse_other_engine(resolved, known)
    return Stack(resolved.plan, resolved.engine.attach(resolved.plan, resolved.run))


def reset(resolved: ResolvedStack, say: Say) -> Stack:
    """Return all data to the state after seed: start from empty data, migrate, seed."""
    refuse_foreign_targets(resolved.plan, "reset")
    stack = connect(resolved)
    require_marker(stack, "reset")
    stack = up(resolved, say, fresh=True).stack
    migrate(resolved, stack, say)
    seed(resolved, stack, say)
    return stack


def build(resolved: ResolvedStack, say: Say, *, again: bool = False) -> list[str]:
    """Build the images of a stack that are missing.

    Args:
        resolved: Which.
        say: Takes lines of progress.
        again: Build those that are there as well, without the cache.

    Returns:
        The images that were built.
    """
    run = RunFolder(resolved.run.root, f"{resolved.run.project}-build")
    # While the connection is held, the death of this process ends what it has begun.
    lock = ProjectLock(run, resolved.request.environment)
    with lock, closing(resolved.engine.open(run, say)):
        try:
            return resolved.engine.build(resolved.plan, run, say, again=again)
        finally:
            take_down(run, seconds=GONE_SECONDS)
