"""Migrate and seed: commands that run in a stack, on its own database only."""

from __future__ import annotations

import re

from stackproof.engines.base import Command, Say
from stackproof.errors import CommandFailed, NotAttached
from stackproof.plan.addressing.guard import refuse_foreign_targets, refuse_other_database
from stackproof.plan.model import PlannedCommand
from stackproof.stack.database import require_marker
from stackproof.stack.resolved import ResolvedStack
from stackproof.stack.running import Stack


def migrate(resolved: ResolvedStack, stack: Stack, say: Say) -> None:
    """Run the migrate commands in the stack, on its own database only.

    Raises:
        Refused: If a command would work on a database that is not the stack's own.
        CommandFailed: If one fails.
    """
    _run_commands(resolved, stack, "migrate", stack.plan.migrate, say)


def seed(resolved: ResolvedStack, stack: Stack, say: Say) -> None:
    """Run the seed commands in the stack, on its own database only.

    Raises:
        Refused: If a command would work on a database that is not the stack's own.
        CommandFailed: If one fails.
    """
    _run_commands(resolved, stack, "seed", stack.plan.seed, say)


def _run_commands(
    resolved: ResolvedStack, stack: Stack, verb: str, commands: tuple[PlannedCommand, ...], say: Say
) -> None:
    if resolved.plan.engine == "attached":
        raise NotAttached(
            f"stackproof can't {verb} a stack that it only attaches to",
            remedy=f"{verb} it where it was started",
        )
    if not commands:
        say(f"{verb}: nothing to do; config/{resolved.plan.stack}.yaml has no `{verb}`")
        return
    refuse_foreign_targets(stack.plan, verb)
    for command in commands:
        stack.service(command.service)
        refuse_other_database(stack.plan, command.service)
    require_marker(stack, verb)
    for command in commands:
        say(f"{verb}: {' '.join(command.argv)} (in {command.service})")
        done = stack.running.run(
            verb,
            command.service,
            Command(command.argv, timeout=resolved.settings.timeouts.command),
            say,
        )
        if done.exit_code:
            raise CommandFailed(
                f"{verb} failed: {' '.join(command.argv)} (in {command.service}) ended with status "
                f"{done.exit_code}",
                exit_code=done.exit_code,
                output=_last_line(done.stdout),
                remedy=f"`invoke exec {command.service}` opens a shell in the same surroundings",
            )


def _last_line(output: str) -> str:
    """What a failed command wrote last; all of it was told while it ran."""
    return next((line for line in reversed(output.splitlines()) if re.search(r"\w", line)), "")
