"""The nox session `flake`: tests many times in shuffled order, each run on a stack of its own."""

from __future__ import annotations

import argparse
import secrets
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stackproof import lifecycle
from stackproof.artifacts.run import new_run
from stackproof.engines.base import Say
from stackproof.redaction import Redactor

RUNS = 50
WORKERS = "2"
SEEDS = 1_000_000


def flake_options() -> argparse.ArgumentParser:
    """The options that the session takes after `--`; all others go to pytest."""
    parser = argparse.ArgumentParser(
        prog="nox -s flake --",
        description="Run tests again and again, in shuffled order, each run on a stack of its own; "
        "tell how often each one fails, and why.",
        epilog="All other arguments go to pytest: paths, ids of tests, -k NAME.",
        allow_abbrev=False,
    )
    parser.add_argument("--runs", type=int, default=RUNS, help=f"of each test; default {RUNS}")
    parser.add_argument("--seed", type=int, help="decides the order; default: another each time")
    parser.add_argument("-n", dest="workers", default=WORKERS, help="runs at the same time")
    parser.add_argument("--stack", help="name of config/<stack>.yaml")
    parser.add_argument("--engine", choices=["process", "compose"], help="what runs the services")
    parser.add_argument("--suite", default="integration", help="whose profiles are switched on")
    parser.add_argument("--profile", action="append", default=[], help="profile to switch on")
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
    choice = lifecycle.Choice(
        root=root,
        environment=environment,
        stack=options.stack,
        engine=options.engine,
        profiles=tuple(options.profile),
        suite=options.suite,
    )
    blueprint = lifecycle.prepare(choice, say)
    artifacts = new_run(blueprint.settings.artifacts, "flake", Redactor(blueprint.plan.secrets))
    say(f"the same order again: nox -s flake -- {shlex.join(_again(arguments, seed))}")
    try:
        return run_pytest(
            [
                *rest,
                f"--flake-runs={options.runs}",
                f"--flake-seed={seed}",
                f"--stack={blueprint.plan.stack}",
                f"--engine={blueprint.plan.engine}",
                *(f"--stack-profile={one}" for one in blueprint.settings.profiles),
                "--isolation=test",
                f"--stack-artifacts={artifacts.folder}",
                f"--junitxml={artifacts.folder / 'junit.xml'}",
                "--tb=short",
                *(["-n", options.workers] if options.workers != "0" else []),
            ]
        )
    finally:
        artifacts.mask_files()
        say(f"artifacts: {artifacts.folder}")


def _again(arguments: Sequence[str], seed: int) -> list[str]:
    if any(one == "--seed" or one.startswith("--seed=") for one in arguments):
        return list(arguments)
    return [*arguments, f"--seed={seed}"]
