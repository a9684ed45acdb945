"""The options of the sessions of suites."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from stackproof.errors import ConfigError
from stackproof.settings.llm_choice import CHECK, MODES
from stackproof.suites.command_line import SessionOptions

LLM_SUITE = "e2e_llm"
SUITES = ("integration", "e2e", LLM_SUITE)


def suite_options(suite: str) -> SessionOptions:
    """The options that a suite's session takes after `--`; all others go to pytest."""
    parser = SessionOptions(
        prog=f"nox -s {suite} --",
        description=f"Start the stack, run `pytest -m {suite}`, collect artifacts, take it down.",
        epilog="All other arguments go to pytest, such as -k NAME, -x, a path or the id of a test.",
        allow_abbrev=False,
    )
    parser.add_argument("--stack", help="name of config/<stack>.yaml")
    parser.add_argument(
        "--engine",
        choices=["process", "compose", "attached"],
        help="what runs the services; with process, STACKPROOF_WORLD says what they see",
    )
    parser.add_argument("--profile", action="append", default=[], help="profile to switch on")
    parser.add_argument("--without", action="append", default=[], help="service to leave out")
    parser.add_argument(
        "--with-beat", action="append_const", dest="profile", const="beat", help="--profile beat"
    )
    parser.add_argument(
        "--keep", action="store_true", help="leave the stack up after a failure, to look around"
    )
    parser.add_argument(
        "--isolation",
        choices=["shared", "session", "module", "test"],
        help="which tests share a stack: all (shared, session), those of a module, or none (test); "
        "with `test`, add `--parallel` to run tests in parallel",
    )
    parser.add_argument(
        "--parallel",
        action="store_true",
        help="run as many tests at a time as this machine has processors and free memory for",
    )
    parser.add_argument(
        "--list-scenarios", action="store_true", help="list the tests, and start no stack"
    )
    parser.add_argument(
        "--json", action="store_true", help="with --list-scenarios: list them as JSON, on one line"
    )
    if suite == LLM_SUITE:
        _add_llm_options(parser)
    return parser


def _add_llm_options(parser: SessionOptions) -> None:
    parser.add_argument(
        "--llm",
        choices=[*MODES, CHECK],
        help="who answers the model calls, required; check asks again what was recorded",
    )
    parser.add_argument("--budget-usd", metavar="USD", help="what record, live and check may spend")
    parser.add_argument(
        "--cassettes",
        metavar="FOLDER",
        type=Path,
        help="recordings of record, replay and check (tests/cassettes/<stack>)",
    )
    parser.add_argument(
        "--allow-unused",
        action="store_true",
        help="let a replay pass although recorded calls of its tests, or all, were not asked",
    )


def refuse_contradictions(options: argparse.Namespace, rest: Sequence[str]) -> None:
    """Refuse options of a suite that can't be honoured together.

    Args:
        options: The options of the session.
        rest: What goes to pytest.

    Raises:
        ConfigError: With the option that has no effect.
    """
    if options.json and not options.list_scenarios:
        raise _useless("--json", "it says how --list-scenarios lists", "add --list-scenarios")
    for name in ("parallel", "keep", "isolation") if options.list_scenarios else ():
        if getattr(options, name):
            told = "--list-scenarios starts no stack and runs no test"
            raise _useless(f"--{name}", told, f"remove --{name}")
    given = [word for word in rest if word.startswith(("-n", "--numprocesses"))]
    if options.parallel and given:
        told = f"{given[0]} says how many tests run at a time, and so does --parallel"
        raise _useless(given[0], told, "keep one of them")


def _useless(option: str, observed: str, remedy: str) -> ConfigError:
    return ConfigError(
        f"{option} has no effect here", source="command line", observed=observed, remedy=remedy
    )
