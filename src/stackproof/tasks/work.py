"""Tasks that work with a running stack: tests, commands, restarts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from invoke.exceptions import Exit

from stackproof.tasks.display import progress
from stackproof.tasks.shell import connect, names, prepare, project_folder, remainder, stack_task

if TYPE_CHECKING:
    from stackproof.lifecycle import StackRequest


@stack_task(suite="Name of the suite, such as integration.")
def test(request: StackRequest, suite: str) -> None:
    """Run a suite of tests against the stack that `invoke up` started.

    Arguments after `--` go to pytest: invoke test integration -- -k smoke -x
    """
    from stackproof.suites.suite import test_running

    resolved = prepare(request)
    if not test_running(resolved, suite, remainder(), run_pytest):
        raise Exit(f"{suite} failed", code=1)


@stack_task(service="Service whose environment, folder and user the command gets.")
def exec_(request: StackRequest, service: str) -> None:
    """Run a command in a service's surroundings: invoke exec api -- python -V.

    Without a command, a shell. Its exit status becomes that of invoke. In a PostgreSQL service,
    `psql` and its relatives reach the stack's database as its user.
    """
    from stackproof.engines.base import Command, Streams
    from stackproof.stack.postgres import database_services, login

    resolved = prepare(request)
    stack = connect(resolved)
    stack.service(service)
    streams = Streams(0, 1, 2)  # `secure_streams` has made sure that they are open
    databases = {planned.name: planned for planned in database_services(stack.plan)}
    environment = login(databases[service]) if service in databases else {}
    command = Command(remainder() or ["/bin/sh", "-i"], environment)
    code = stack.running.execute(service, command, streams)
    if code:
        raise Exit(code=code if code > 0 else 128 - code)


@stack_task(
    words="service",
    service="Service to restart, or several separated by commas; all if not given.",
)
def restart(request: StackRequest, service: list[str] = []) -> None:  # noqa: B006 - Invoke reads it
    """Stop and start services, and wait until they are ready: invoke restart api worker.

    Changed files and locks are taken.
    """
    from stackproof import lifecycle
    from stackproof.stack_file.replicas import expanded
    from stackproof.tasks.inspection import show_services
    from stackproof.tasks.overview import unready

    resolved = prepare(request)
    stack = connect(resolved)
    chosen = expanded(names(service), stack.plan.replicas) or [
        planned.name for planned in stack.plan.services
    ]
    for name in chosen:
        stack.service(name)
    with progress(f"restarting {', '.join(chosen)}", partial(unready, stack)) as tell:
        restarted = lifecycle.restart(resolved, chosen, tell)
    show_services(restarted)


def run_pytest(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Run pytest in this environment; tells whether all tests passed."""
    command = [sys.executable, "-m", "pytest", *arguments]
    done = subprocess.run(
        command, cwd=project_folder(), env={**os.environ, **environment}, check=False
    )
    return done.returncode == 0


TASKS = (test, exec_, restart)
