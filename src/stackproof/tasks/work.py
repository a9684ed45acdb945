"""Tasks that work with a running stack: tests, commands, restarts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from invoke.exceptions import Exit

from stackproof.tasks.shell import names, prepare, remainder, stack_task

if TYPE_CHECKING:
    from stackproof.lifecycle import Choice


@stack_task(suite="Name of the suite, such as integration.")
def test(choice: Choice, suite: str) -> None:
    """Run a suite of tests against the stack that `invoke up` started.

    Arguments after `--` go to pytest: invoke test integration -- -k smoke -x
    """
    from stackproof.suites.suite import test_running

    blueprint = prepare(choice)
    if not test_running(blueprint, suite, remainder(), run_pytest):
        raise Exit(f"{suite} failed", code=1)


@stack_task(service="Whose environment, folder and user the command gets.")
def exec_(choice: Choice, service: str) -> None:
    """Run a command in a service's surroundings: invoke exec api -- python -V.

    Without a command, a shell. Its exit status becomes that of invoke.
    """
    from stackproof import lifecycle
    from stackproof.engines.base import Streams

    blueprint = prepare(choice)
    stack = lifecycle.connect(blueprint)
    stack.service(service)
    streams = Streams(sys.stdin.fileno(), sys.stdout.fileno(), sys.stderr.fileno())
    code = stack.running.execute(service, remainder() or ["/bin/sh", "-i"], streams)
    if code:
        raise Exit(code=code if code > 0 else 128 - code)


@stack_task(service="Service to restart, or several, comma-separated; none restarts all.")
def restart(choice: Choice, service: list[str] = []) -> None:  # noqa: B006 - Invoke reads it
    """Stop and start services, and wait until they are ready."""
    from stackproof import lifecycle
    from stackproof.tasks.inspection import show_services

    blueprint = prepare(choice)
    stack = lifecycle.connect(blueprint)
    chosen = names(service) or [one.name for one in stack.plan.services]
    for name in chosen:
        stack.service(name)
    stack.running.restart(chosen)
    show_services(stack)


def run_pytest(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Run pytest in this environment; tells whether all tests passed."""
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, env={**os.environ, **environment}, check=False).returncode == 0


TASKS = (test, exec_, restart)
