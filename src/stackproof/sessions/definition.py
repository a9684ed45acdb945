"""The sessions that every project gets: code style, unit tests, suites, flake meter, benchmarks."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial

import nox
from nox.command import CommandFailed as NoxCommandFailed

from stackproof.sessions.interpreters import other_interpreters
from stackproof.sessions.options import LLM_SUITE, SUITES
from stackproof.sessions.project import Project, install
from stackproof.sessions.suite import (
    INTERRUPT_TIMEOUT,
    run_docker_session,
    run_pytest,
    run_suite_session,
    told_errors,
)
from stackproof.suites.command_line import read_options
from stackproof.suites.flake_session import flake_options, measure
from stackproof.suites.pytest_arguments import replaceable

DOCKER_SUITES = ("integration", "e2e")


def define_sessions(project: Project) -> None:
    """Register the sessions: `lint`, `unit`, the suites, also with Docker, `flake`, `bench`.

    With `nox -j 2` two of them run at the same time: each suite's stack has ports, folders and a
    name of its own. `flake` and `bench` measure, and run alone.

    Args:
        project: The project that they are for.
    """
    for chatty in ("docker", "urllib3"):  # nox shows what the root logger gets
        logging.getLogger(chatty).setLevel(logging.WARNING)
    _define("lint", lambda session: _lint(session, project), "Look at the code: ruff, mypy.")
    _define("unit", lambda session: _unit(session, project), "Run the unit tests.")
    for version, path in other_interpreters():
        _define(
            f"unit-{version}",
            lambda session: _unit(session, project),
            f"Run the unit tests on Python {version}.",
            python=path,
        )
    for suite in SUITES:
        _define(
            suite,
            partial(run_suite_session, project=project, suite=suite),
            f"Start the stack, run the {suite} scenarios, take it down. `-- --help` has options.",
            no=suite == LLM_SUITE,
        )
    for suite in DOCKER_SUITES:
        _define(
            f"docker-{suite}",
            partial(run_docker_session, project=project, suite=suite),
            f"Run the {suite} scenarios on a real Docker Engine; skipped where there is none.",
        )
    _define(
        "flake",
        lambda session: _flake(session, project),
        "Measure how often tests fail: `-- PATH --runs 50`; `-- --help` has options.",
        no=True,
        alone=True,
    )
    if project.bench:
        _define(
            "bench",
            lambda session: _bench(session, project),
            "Measure, as ratios.",
            no=True,
            alone=True,
        )


def _define(
    name: str,
    function: Callable[[nox.Session], None],
    text: str,
    *,
    python: str | None = None,
    no: bool = False,
    alone: bool = False,
) -> None:
    def session_function(session: nox.Session) -> None:
        with told_errors(session):
            function(session)

    session_function.__doc__ = text
    define = nox.session(
        name=name, python=python, venv_backend="uv", default=not no, allow_parallel=not alone
    )
    define(session_function)


def _lint(session: nox.Session, project: Project) -> None:
    install(session, project)
    session.run("ruff", "check", *project.sources)
    session.run("ruff", "format", "--check", *project.sources)
    session.run("mypy", *project.typed)


def _unit(session: nox.Session, project: Project) -> None:
    install(session, project)
    folders = project.unit_tests
    paths = replaceable((folders,) if isinstance(folders, str) else folders)
    session.run("pytest", *paths, *project.unit_options, *session.posargs)


def _bench(session: nox.Session, project: Project) -> None:
    install(session, project)
    session.run(*project.bench, *session.posargs, interrupt_timeout=INTERRUPT_TIMEOUT)


def _flake(session: nox.Session, project: Project) -> None:
    read_options(flake_options(), session.posargs, project.root)
    install(session, project)
    if project.lock is None:
        session.install("--quiet", "pytest-xdist")
    passed = measure(
        project.root,
        dict(os.environ),
        session.posargs,
        lambda arguments: run_pytest(session, arguments, {}),
        session.log,
    )
    if not passed:
        raise NoxCommandFailed("a run has failed")
