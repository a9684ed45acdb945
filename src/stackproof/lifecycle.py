"""The life of a stack: settings and stack file → plan → up → migrate → seed → reset → down."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from stackproof.artifacts.forensics import collect
from stackproof.artifacts.run import RunArtifacts, new_run
from stackproof.artifacts.service_coverage import lend
from stackproof.engines.base import Lease, RunningPlan, Say
from stackproof.engines.unfinished import sweep_cache
from stackproof.errors import (
    CommandFailed,
    NoAnswer,
    NoStack,
    NotAttached,
    StackproofError,
    TeardownIncomplete,
)
from stackproof.plan.addressing.guard import refuse_foreign_targets, refuse_other_database
from stackproof.plan.model import Plan, PlannedCommand
from stackproof.plan.mounts.settling import without_copies
from stackproof.reaper.launch import take_down
from stackproof.reaper.leftovers import clean as clean_leftovers
from stackproof.reaper.leftovers import read_run
from stackproof.reaper.lock import ProjectLock
from stackproof.reaper.run_folder import RunFolder, state_root
from stackproof.redaction import Redactor
from stackproof.settings import ensure_env_file
from stackproof.settings.storage import storage_errors
from stackproof.stack.database import mark_databases, require_marker
from stackproof.stack.resolved import Blueprint, Choice, resolve
from stackproof.stack.running import Stack
from stackproof.stack.running_record import RunningRecord, changes, read_about, write_about
from stackproof.stack.shared_running import Share, SharedRunning

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Blueprint", "Choice", "Started", "build", "connect", "down", "migrate", "prepare", "reset",
    "resolve", "seed", "up",
]  # fmt: skip

GONE_SECONDS = 10.0


@dataclass(frozen=True)
class Started:
    """A stack that is up.

    Attributes:
        stack: The stack.
        lease: Ties it to this process; None where it is to stay.
    """

    stack: Stack
    lease: Lease | None


@storage_errors()
def prepare(choice: Choice, say: Say) -> Blueprint:
    """What every command does first: leftovers are removed, the env file is made, all is read."""
    for line in clean_leftovers(state_root(choice.environment)):
        say(line)
    if ensure_env_file(choice.root):
        say("made .env.integration from .env.integration.example")
    blueprint = resolve(choice)
    for line in sweep_cache(blueprint.settings.cache):
        say(line)
    return blueprint


@storage_errors()
def up(
    blueprint: Blueprint,
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
        blueprint: What to start.
        say: Takes lines of progress.
        fresh: Take a running copy down first.
        hold: Keep the lease: the stack ends with this process. Else it stays until `down`.
        artifacts: Where a failed start leaves its logs; None for a new folder.
        snapshot: Folder of a snapshot to start from; None for empty data.
        share: Servers that it shares, which are not started.

    Raises:
        Refused: If a service would reach what is not the stack's own.
        StartFailed: If a service does not become ready; the stack is taken down again.
        StackBusy: If another command works on the same copy.
    """
    refuse_foreign_targets(blueprint.plan, "up")
    with ProjectLock(blueprint.run, blueprint.choice.environment):
        known = read_about(blueprint.run)
        if known is not None and (fresh or not known.is_complete):
            say(f"taking down {blueprint.plan.project} first")
            blueprint.engine.shut_down(blueprint.run, _stop_seconds(blueprint.plan), say)
            known = None
        if known is not None:
            return Started(_update(blueprint.of_run(known.ports), known, say), None)
        return _start(
            blueprint, say, hold=hold, artifacts=artifacts, snapshot=snapshot, share=share
        )


def _start(
    blueprint: Blueprint,
    say: Say,
    *,
    hold: bool,
    artifacts: RunArtifacts | None,
    snapshot: Path | None,
    share: Share | None,
) -> Started:
    for notice in blueprint.plan.notices:
        say(f"note: {notice}")
    run, engine = blueprint.run, blueprint.engine
    holes = (blueprint.settings.artifacts, blueprint.settings.cache)
    lease = engine.open(run, blueprint.plan.own, snapshot=snapshot, holes=holes)
    try:
        blueprint.keep_secrets()
        for line in without_copies(blueprint.plan, lease.refused)[1]:
            say(f"note: {line}")
        blueprint = _with_claimed_ports(blueprint, lease)
        write_about(run, RunningRecord.of(blueprint.plan, blueprint.settings, complete=False))
        lent = _lent(blueprint, artifacts)
        running: RunningPlan = engine.start(
            blueprint.plan.own, run, say, lent=lent, snapshot=snapshot
        )
        if share is not None:
            running = SharedRunning(blueprint.plan, running, share.running)
        stack = Stack(blueprint.plan, running)
        with _kept_on_failure(blueprint, stack, artifacts, say):
            running.wait_ready(blueprint.settings.timeouts.start, say)
            if snapshot is None or not hold:  # a test's own is marked when it is left up
                mark_databases(stack)
        write_about(run, RunningRecord.of(blueprint.plan, blueprint.settings, complete=True))
    except BaseException:
        try:
            take_down(run, seconds=_stop_seconds(blueprint.plan))
        except TeardownIncomplete as left:  # the first error is the one to be raised
            say(str(left))
        raise
    if not hold:
        lease.release()
    return Started(stack, lease if hold else None)


def _with_claimed_ports(blueprint: Blueprint, lease: Lease) -> Blueprint:
    wanted = blueprint.needed_ports()
    return blueprint.with_ports(dict(zip(wanted, lease.claim_ports(len(wanted)), strict=True)))


def _lent(blueprint: Blueprint, artifacts: RunArtifacts | None) -> Mapping[str, str]:
    """Variables that make the services' Python processes measure their coverage."""
    if not blueprint.settings.coverage or artifacts is None:
        return {}
    roots = {
        root
        for service in blueprint.plan.services
        if service.runtime is not None and not service.runtime.own_environment
        for root in service.runtime.source_roots
    }
    return lend(artifacts.folder / "coverage", sorted(roots)) or {}


@contextmanager
def _kept_on_failure(
    blueprint: Blueprint, stack: Stack, artifacts: RunArtifacts | None, say: Say
) -> Iterator[None]:
    try:
        yield
    except StackproofError:
        redactor = Redactor(blueprint.plan.secrets)
        kept = artifacts or new_run(blueprint.settings.artifacts, "up", redactor)
        try:
            collect(stack, kept)
        except (StackproofError, OSError) as error:
            say(f"the logs could not be kept: {error}")
        else:
            say(f"logs of all services: {kept.folder / 'logs'}")
        raise


def _update(blueprint: Blueprint, known: RunningRecord, say: Say) -> Stack:
    """Reuse a running copy; services whose plan has changed are started anew."""
    running = blueprint.engine.attach(blueprint.plan, blueprint.run)
    record = RunningRecord.of(blueprint.plan, blueprint.settings, complete=True)
    changed = changes(known, record)
    if changed:
        blueprint.keep_secrets()
        for line in changed.lines:
            say(f"changed: {line}")
        if changed.removed:
            running.stop(changed.removed)
        running = blueprint.engine.replace(
            blueprint.plan, changed.services, blueprint.run, say, lent={}
        )
    else:
        say(f"{blueprint.plan.project} is up already and nothing has changed; it is reused")
    removed = [one.name for one in running.status() if one.state == "removed"]
    if removed:
        containers = "its container was" if len(removed) == 1 else "their containers were"
        say(f"recreating {', '.join(removed)}: {containers} removed from outside")
        running = blueprint.engine.replace(blueprint.plan, removed, blueprint.run, say, lent={})
    unwell = [one.name for one in running.status() if not one.is_well]
    if unwell:
        stopped = [one.name for one in running.status() if one.state in {"stopped", "exited"}]
        if stopped:
            running.start(stopped)
        running.wait_ready(blueprint.settings.timeouts.start, say)
    stack = Stack(blueprint.plan, running)
    if changed or removed:
        mark_databases(stack)
    write_about(blueprint.run, record)
    return stack


def connect(blueprint: Blueprint) -> Stack:
    """The running copy of a stack.

    Raises:
        NoStack: If it is not up.
    """
    return Stack(blueprint.plan, blueprint.engine.attach(blueprint.plan, blueprint.run))


def migrate(blueprint: Blueprint, stack: Stack, say: Say) -> None:
    """Run the migrate commands in the stack, on its own database only.

    Raises:
        Refused: If a command would work on a database that is not the stack's own.
        CommandFailed: If one fails.
    """
    _run_commands(blueprint, stack, "migrate", stack.plan.migrate, say)


def seed(blueprint: Blueprint, stack: Stack, say: Say) -> None:
    """Run the seed commands in the stack, on its own database only.

    Raises:
        Refused: If a command would work on a database that is not the stack's own.
        CommandFailed: If one fails.
    """
    _run_commands(blueprint, stack, "seed", stack.plan.seed, say)


def _run_commands(
    blueprint: Blueprint, stack: Stack, verb: str, commands: tuple[PlannedCommand, ...], say: Say
) -> None:
    if blueprint.plan.engine == "attached":
        raise NotAttached(
            f"stackproof can't {verb} a stack that it only attaches to",
            remedy="let whoever has started it do so",
        )
    if not commands:
        say(f"{verb}: nothing to do; config/{blueprint.plan.stack}.yaml has no `{verb}`")
        return
    refuse_foreign_targets(stack.plan, verb)
    for one in commands:
        stack.service(one.service)
        refuse_other_database(stack.plan, one.service)
    require_marker(stack, verb)
    for one in commands:
        say(f"{verb}: {' '.join(one.argv)} (in {one.service})")
        done = stack.running.run(
            verb, one.service, one.argv, timeout=blueprint.settings.timeouts.command, say=say
        )
        if done.exit_code:
            raise CommandFailed(
                f"{verb} failed: {' '.join(one.argv)} (in {one.service}) ended with status "
                f"{done.exit_code}",
                exit_code=done.exit_code,
                output="\n".join(done.stdout.splitlines()[-20:]),
                remedy=f"`invoke exec {one.service}` opens a shell in the same surroundings",
            )


def reset(blueprint: Blueprint, say: Say) -> Stack:
    """Return all data to the state after seed: start from empty data, migrate, seed."""
    refuse_foreign_targets(blueprint.plan, "reset")
    stack = connect(blueprint)
    require_marker(stack, "reset")
    stack = up(blueprint, say, fresh=True).stack
    migrate(blueprint, stack, say)
    seed(blueprint, stack, say)
    return stack


def build(blueprint: Blueprint, say: Say, *, again: bool = False) -> list[str]:
    """Build the images of a stack that are missing.

    Args:
        blueprint: Which.
        say: Takes lines of progress.
        again: Build those that are there as well, without the cache.

    Returns:
        The images that were built.
    """
    run = RunFolder(blueprint.run.root, f"{blueprint.run.project}-build")
    # While the connection is held, the death of this process ends what it has begun.
    lock = ProjectLock(run, blueprint.choice.environment)
    with lock, closing(blueprint.engine.open(run)):
        try:
            return blueprint.engine.build(blueprint.plan, run, say, again=again)
        finally:
            take_down(run, seconds=GONE_SECONDS)


def down(
    blueprint: Blueprint,
    say: Say,
    *,
    force: bool = False,
    keep_data: bool = False,
    disposable: bool = False,
) -> bool:
    """Stop a stack and remove everything that it has made.

    Args:
        blueprint: Which.
        say: Takes lines of progress.
        force: Also if a database has lost its marker, or a service would reach what is not the
            stack's own.
        keep_data: Leave the data for the next `up`.
        disposable: Nobody wants the data, so the services are killed instead of stopped in order.

    Returns:
        Whether there was something to take down.

    Raises:
        Refused: If a database has no marker, unless forced.
        TeardownIncomplete: If something is left after all.
    """
    project, engine = blueprint.plan.project, blueprint.engine
    if read_run(blueprint.run.path) is None:
        if keep_data or not engine.drop_data(blueprint.run):
            return False
        say(f"removed the kept data of {project}")
        return True
    with ProjectLock(blueprint.run, blueprint.choice.environment):
        if not force:
            refuse_foreign_targets(blueprint.plan, "down")
            _require_marker_if_it_answers(blueprint)
        if keep_data:
            engine.keep_data(blueprint.plan, blueprint.run)
        engine.shut_down(blueprint.run, _stop_seconds(blueprint.plan), say, disposable=disposable)
        rest = (
            "its data are kept for the next `invoke up`" if keep_data else "nothing of it is left"
        )
        say(f"{project} is down; {rest}")
    return True


def _require_marker_if_it_answers(blueprint: Blueprint) -> None:
    try:
        stack = connect(blueprint)
        well = {
            one.name
            for one in stack.running.status()
            if one.is_well and stack.running.owns_data(one.name)
        }
    except (NoAnswer, NoStack):
        return
    reachable = tuple(one for one in stack.plan.services if one.name in well)
    require_marker(Stack(replace(stack.plan, services=reachable), stack.running), "down")


def _stop_seconds(plan: Plan) -> float:
    """Upper bound of an orderly stop: services stop one after the other along a chain."""
    return 5.0 + sum(service.stop_grace for service in plan.services)
