"""The nox session `flake`: tests many times in shuffled order, each run on an isolated stack."""

from __future__ import annotations

import argparse
import secrets
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stackproof import lifecycle
from stackproof.artifacts.run import RunArtifacts, new_run
from stackproof.engines.base import Say
from stackproof.suites.command_line import SessionOptions
from stackproof.suites.pytest_arguments import stack_options
from stackproof_redaction import Redactor

RUNS = 50
WORKERS = "2"
SUITE = "integration"
"""Whose profiles are switched on, where no suite is named."""

SEEDS = 1_000_000


def flake_options() -> SessionOptions:
    """The options that the session takes after `--`; all others go to pytest."""
    parser = SessionOptions(
        prog="nox -s flake --",
        description="Run tests again and again, in shuffled order, each run on an isolated stack; "
        "tell how often each one fails, and why.",
        epilog="All other arguments go to pytest: paths, ids of tests, -k NAME.",
        allow_abbrev=False,
    )
    parser.add_argument("--runs", type=int, default=RUNS, help=f"of each test; default {RUNS}")
    parser.add_argument("--seed", type=int, help="decides the order; default: another each time")
    parser.add_argument("-n", dest="workers", default=WORKERS, help="runs at the same time")
    parser.add_argument("--stack", help="name of config/<stack>.yaml")
    parser.add_argument("--engine", choices=["process", "compose"], help="what runs the services")
    parser.add_argument(
        "--suite", help=f"only its tests, with its profiles; default: all, with those of {SUITE}"
    )
    parser.add_argument("--profile", action="append", default=[], help="profile to switch on")
    parser.add_argument("--without", action="append", default=[], help="service to leave out")
    return parser


def measure(
    root: Path,
    environment: Mapping[str, str],
    arguments: Sequence[str],
    run_pytest: Callable[[Sequence[str]], bool],
    say: Say,
) -> bool:
    """Repeat tests; tells whether every run has passed.

    Args:
        root: The project's folder.
        environment: The process environment.
        arguments: What the user has given after `--`.
        run_pytest: Runs pytest with arguments; tells whether all went well.
        say: Takes lines of progress.

    Raises:
        StackproofError: If the stack's configuration is wrong.
    """
    options, rest = flake_options().parse_known_args(list(arguments))
    seed = secrets.randbelow(SEEDS) if options.seed is None else options.seed
    request = lifecycle.StackRequest(
        root=root,
        environment=environment,
        stack=options.stack,
        engine=options.engine,
        profiles=tuple(options.profile),
        without=tuple(options.without),
        suite=options.suite or SUITE,
    )
    resolved = lifecycle.prepare(request, say)
    artifacts = new_run(resolved.settings.artifacts, "flake", Redactor(resolved.plan.secrets))
    say(f"the same order again: nox -s flake -- {shlex.join(_again(arguments, seed))}")
    try:
        return run_pytest([*rest, *_pytest_options(options, seed, resolved, artifacts)])
    finally:
        artifacts.mask_files()
        say(f"artifacts: {artifacts.folder}")


def _pytest_options(
    options: argparse.Namespace,
    seed: int,
    resolved: lifecycle.ResolvedStack,
    artifacts: RunArtifacts,
) -> list[str]:
    return [
        *(["-m", resolved.settings.suite(options.suite).marker] if options.suite else []),
        f"--flake-runs={options.runs}",
        f"--flake-seed={seed}",
        f"--stack={resolved.plan.stack}",
        f"--engine={resolved.plan.engine}",
        *stack_options(resolved),
        "--isolation=test",
        f"--stack-artifacts={artifacts.folder}",
        f"--junitxml={artifacts.folder / 'junit.xml'}",
        "--tb=short",
        *(["-n", options.workers] if options.workers != "0" else []),
    ]


def _again(arguments: Sequence[str], seed: int) -> list[str]:
    if any(argument == "--seed" or argument.startswith("--seed=") for argument in arguments):
        return list(arguments)
    return [*arguments, f"--seed={seed}"]
