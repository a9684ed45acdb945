"""What pytest collects of a suite, asked before any stack is started; and the list of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nox

from stackproof.errors import StackproofError
from stackproof.lifecycle import ResolvedStack
from stackproof.suites.pytest_arguments import collection_arguments
from stackproof.suites.suite import SuiteRequest, has_tests
from stackproof.tasks.display import show, show_table
from stackproof.waiting import reminding

USAGE_ERROR, NO_TESTS = 4, 5
"""Exit statuses of pytest: it refuses the command line; it has found no test."""

ReadRequest = tuple[SuiteRequest, ResolvedStack]


def collect(session: nox.Session, arguments: Sequence[str]) -> tuple[int, str]:
    """Let the pytest of a session collect tests: its exit status, and what it says of them.

    Args:
        session: The nox session.
        arguments: Arguments of pytest.
    """
    done = subprocess.run(
        [program_of(session, "pytest"), "--collect-only", "-q", *arguments],
        env=environment_of(session), capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stderr.strip() or done.stdout.strip().rpartition("\n")[2]
    return done.returncode, said


def program_of(session: nox.Session, name: str) -> str:
    """The path of a program in a session's environment.

    Args:
        session: The nox session.
        name: Name of the program.
    """
    folders = [*(session.bin_paths or []), os.environ.get("PATH", os.defpath)]
    return shutil.which(name, path=os.pathsep.join(folders)) or name


def environment_of(session: nox.Session) -> dict[str, str]:
    """The variables that a program of a session gets."""
    own = {name: value for name, value in session.env.items() if value is not None}
    return {**os.environ, **own}


def show_scenarios(
    session: nox.Session, read: Sequence[ReadRequest], rest: Sequence[str], *, as_json: bool
) -> None:
    """Print the tests of a suite on standard output: a table, or JSON for another program.

    Args:
        session: The nox session.
        read: The suite on each of its stacks.
        rest: What goes to pytest, such as `-k NAME`.
        as_json: Whether to print JSON, on one line.

    Raises:
        StackproofError: If pytest can't collect the tests, or there are none.
    """
    found: list[dict[str, Any]] = []
    told = "there is no file test_*.py in its folders"
    for request, resolved in read:
        if has_tests(request.root, resolved.settings.suite(request.suite).paths):
            with reminding(session.log, f"looking for the tests of {request.name}"):
                scenarios, told = _scenarios(session, request, resolved, rest)
            found += scenarios
    if not found:
        raise StackproofError(
            "there are no scenarios to list", observed=told, remedy="name other paths, -k or -m"
        )
    if as_json:
        show(json.dumps(found))
        return
    rows = [(one["stack"], one["id"], ", ".join(one["markers"])) for one in found]
    show_table(rows, head=("STACK", "ID", "MARKERS"))


def _scenarios(
    session: nox.Session, request: SuiteRequest, resolved: ResolvedStack, rest: Sequence[str]
) -> tuple[list[dict[str, Any]], str]:
    with tempfile.TemporaryDirectory(prefix="stackproof-scenarios-") as folder:
        path = Path(folder, "list.json")
        arguments = [*collection_arguments(resolved, request.suite), f"--scenario-list={path}"]
        code, told = collect(session, [*arguments, *rest])
        if code not in {0, NO_TESTS}:
            raise StackproofError(
                f"pytest can't collect the tests of {request.name}",
                observed=told,
                remedy="`pytest --collect-only` shows the whole of it",
            )
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else [], told
