"""Gives changed files to a service that goes on running."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from stackproof.engines.base import Command, RunningPlan, Streams
from stackproof.errors import CommandFailed
from stackproof.lifecycle.watching.meaning import Synced
from stackproof.stack_file.model import WatchRule

SECONDS = 60.0
"""What a file, or a command after it, gets."""

_WRITE = (
    'folder=${1%/*} && mkdir -p "${folder:-/}" && cat > "$1.new~" && chmod "$2" "$1.new~" '
    '&& mv -f "$1.new~" "$1"'
)
"""Whoever reads the file sees the old or the new one, never a part of it."""


def give(running: RunningPlan, service: str, files: Iterable[Synced]) -> None:
    """Write files into a service as the user that it runs as, and remove those that are gone.

    Raises:
        CommandFailed: If the service can't be given one.
    """
    for file in files:
        try:
            with file.source.open("rb") as content:
                mode = f"{stat.S_IMODE(os.fstat(content.fileno()).st_mode):o}"
                argv = ["sh", "-c", _WRITE, "sh", file.target, mode]
                run_in(running, service, Command(argv, timeout=SECONDS), content.fileno())
        except FileNotFoundError:
            run_in(running, service, Command(["rm", "-rf", "--", file.target], timeout=SECONDS))


def run_hook(running: RunningPlan, service: str, rule: WatchRule) -> None:
    """Run the command of a rule in a service.

    Raises:
        CommandFailed: If it fails.
    """
    run_in(running, service, Command(rule.command, rule.environment, SECONDS))


def run_in(running: RunningPlan, service: str, command: Command, stdin: int | None = None) -> None:
    """Run a command in a service.

    Args:
        running: The stack.
        service: The service.
        command: The command.
        stdin: What it reads; None for nothing.

    Raises:
        CommandFailed: If it fails, with what it wrote.
    """
    with tempfile.TemporaryFile() as written, Path(os.devnull).open("rb") as nothing:
        given = nothing.fileno() if stdin is None else stdin
        streams = Streams(given, written.fileno(), written.fileno())
        code = running.execute(service, command, streams)
        if code:
            written.seek(0)
            raise CommandFailed(
                f"{' '.join(command.argv[-2:])} failed in {service}",
                exit_code=code,
                output=written.read().decode(errors="backslashreplace").strip(),
            )
