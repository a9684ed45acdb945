"""`python -m stackproof.sessions`: nox that says first what it runs, and then what it took."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from nox.__main__ import main as nox

from stackproof.sessions.durations import Ran, forecast, read, remember, rows
from stackproof.tasks.display import is_terminal, say, show_table
from stackproof.waiting import reminding

DURATIONS = Path(".nox", "durations.json")
PLAIN = {"-h", "--help", "--version", "-l", "--list", "--list-sessions", "--json", "--report",
         "-f", "--noxfile", "--envdir", "--script-mode"}  # fmt: skip
"""Options with which nox runs no session, or keeps its things elsewhere."""

LISTING = "--list-scenarios"
"""An option of a session whose output another program may read."""

GRACE = 5.0
"""Seconds that a command has after it was told to end."""

EVERY = 60.0
"""Seconds after which is said what `nox -j` still runs; it shows a session's output at the end."""


def main(arguments: Sequence[str]) -> None:
    """Run nox with these arguments; ends with its exit status."""
    ours = [*arguments[: arguments.index("--")]] if "--" in arguments else list(arguments)
    narrowed = len(ours) + 1 < len(arguments)
    is_plain = PLAIN & {word.partition("=")[0] for word in ours} or LISTING in arguments
    names = [] if is_plain else chosen(ours)
    if not names:
        sys.argv = ["nox", *arguments]
        nox()
        return
    known = {} if narrowed else read(DURATIONS)
    say(forecast(names, known))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as CI ends a job: clean up as well
    with tempfile.TemporaryDirectory(prefix="stackproof-nox-") as folder:
        report = Path(folder, "report.json")
        sys.argv = ["nox", "--report", str(report), *arguments]
        try:
            with told_what_runs():
                nox()
        finally:
            end_commands()
            ran = reported(report)
            if len(ran) > 1:
                show_table(rows(ran, known), head=("SESSION", "RESULT", "TIME", "BEFORE"))
            if not narrowed:
                with suppress(OSError):  # the next run only knows less
                    remember(DURATIONS, ran)


def chosen(options: Sequence[str]) -> list[str]:
    """Names of the sessions that nox will run; none where it refuses the options."""
    listed = subprocess.run(
        [sys.executable, "-m", "nox", *options, "--list", "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        return [session["session"] for session in json.loads(listed.stdout)]
    except (ValueError, TypeError, KeyError):
        return []


def end_commands() -> None:
    """End commands that are left: one that nox was just starting when it was told to end.

    Those in a session of their own end by themselves, and clean up before that.
    """
    import psutil

    left = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error, OSError):  # it has ended meanwhile
            if os.getsid(child.pid) == os.getsid(0) and child.status() != psutil.STATUS_ZOMBIE:
                left.append(child)
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for child in left:
            with suppress(psutil.Error):
                end(child)
        left = psutil.wait_procs(left, timeout=GRACE)[1]


def told_what_runs(every: float = EVERY) -> AbstractContextManager[object]:
    """Say from time to time which sessions run at the same time; on a terminal nox does."""

    def tell(line: str) -> None:
        if not is_terminal() and any(at_the_same_time()):
            say(line)

    return reminding(tell, lambda: f"running {', '.join(at_the_same_time())}", every=every)


def at_the_same_time() -> Iterator[str]:
    """Names of the sessions that nox runs in processes of their own."""
    import psutil

    for child in psutil.Process().children():
        with suppress(psutil.Error, ValueError, IndexError):
            words = child.cmdline()
            if "--parallel-worker" in words:
                yield words[words.index("--session") + 1].partition("-/")[0]


def reported(path: Path) -> list[Ran]:
    """What nox has written about its sessions; nothing where it was interrupted."""
    try:
        sessions = json.loads(path.read_text(encoding="utf-8"))["sessions"]
        return [Ran(found["name"], found["result"], found["duration"]) for found in sessions]
    except (OSError, ValueError, KeyError):
        return []


if __name__ == "__main__":
    main(sys.argv[1:])
