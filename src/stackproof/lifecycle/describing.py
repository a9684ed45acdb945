"""What is kept of a stack that is up as artifacts: again only where it is not what was kept."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from stackproof.artifacts.run import LATEST, new_run
from stackproof.engines.base import Say
from stackproof.errors import StackproofError
from stackproof.reaper.ownership import read_file, write_file
from stackproof.reaper.run_folder import RunFolder
from stackproof.stack.resolved import ResolvedStack
from stackproof.stack.running import Stack
from stackproof_redaction import Redactor

SUITE = "up"

NOTE = "described.json"
"""File of a run folder: where the stack was described, and what it was then."""


def keep_start(resolved: ResolvedStack, stack: Stack, say: Say) -> None:
    """Keep what an `up` has started, so that the newest run of `up` is never an older failure.

    A stack that is described by the newest run is not described again, as long as its plan is the
    same and each service has the process that it had.

    Args:
        resolved: What it was started from.
        stack: The stack, which is up.
        say: Takes a line where it can't be kept.
    """
    root = resolved.settings.artifacts
    try:
        state = _state_of(stack)
        if _described(resolved.run, root) == state:
            return
        from stackproof.artifacts.forensics import describe_stack

        kept = new_run(root, SUITE, Redactor(resolved.plan.secrets))
        describe_stack(stack, kept)
        note = {"folder": str(kept.folder), "state": state}
        write_file(str(resolved.run.path), NOTE, json.dumps(note).encode())
    except (StackproofError, OSError) as error:
        say(f"note: what was started could not be kept as artifacts: {error}")


def _state_of(stack: Stack) -> str:
    """A digest of the plan and of the processes that run it."""
    services = [
        (one.name, one.state, one.health, one.pid, one.exit_code, one.restarts)
        for one in stack.running.status()
    ]
    return hashlib.sha256(f"{stack.plan!r} {services!r}".encode()).hexdigest()


def _described(run: RunFolder, root: Path) -> str:
    """What the stack was when the newest run of `up` described it; empty where none did."""
    try:
        note = json.loads(read_file(str(run.path), NOTE))
        folder = Path(note["folder"])
        is_newest = (root / SUITE / LATEST).resolve() == folder.resolve()
        return str(note["state"]) if is_newest and (folder / "plan.json").is_file() else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""
