"""The sessions of suites: up → migrate → seed → pytest → collect → down, whatever fails."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import nox
from nox.command import CommandFailed as NoxCommandFailed

from stackproof.errors import BUG, ConfigError, EngineUnavailable, StackproofError
from stackproof.lifecycle import ResolvedStack
from stackproof.sessions.options import LLM_SUITE, refuse_contradictions, suite_options
from stackproof.sessions.parallel import require_xdist, workers_of
from stackproof.sessions.project import Project, install
from stackproof.sessions.scenarios import (
    NO_TESTS,
    USAGE_ERROR,
    ReadRequest,
    collect,
    show_scenarios,
)
from stackproof.settings.llm_choice import CHECK, LlmChoice
from stackproof.settings.storage import storage_errors
from stackproof.suites.command_line import given_paths, read_options
from stackproof.suites.llm_session import choose
from stackproof.suites.pytest_arguments import collection_arguments
from stackproof.suites.suite import SuiteRequest, has_tests, read_request, run_suite
from stackproof.waiting import reminding

INTERRUPT_TIMEOUT = 20.0
"""Seconds that pytest gets after Ctrl-C; nox's own 0.3 s would cut its clean-up."""

TERMINATE_TIMEOUT = 10.0
"""Seconds that pytest gets after SIGTERM."""


@contextmanager
def told_errors(session: nox.Session) -> Iterator[None]:
    """End a session with one message for each expected failure; only a bug has a traceback.

    Args:
        session: The nox session.
    """
    try:
        with storage_errors():
            yield
    except StackproofError as error:
        session.error(str(error))
    except Exception as error:
        if not type(error).__module__.startswith("nox."):  # those are nox's own verdicts
            session.warn(BUG)
        raise


def require_docker(session: nox.Session) -> None:
    """Skip a session where no Docker Engine answers; in CI that is a failure.

    Args:
        session: The nox session.
    """
    from stackproof.engines.compose.connection import connect, require_compose

    try:
        with reminding(session.log, "asking the Docker Engine"):
            require_compose(os.environ)
            connect(os.environ)
    except EngineUnavailable as error:
        if os.environ.get("CI"):
            session.error(str(error))
        session.skip(f"{error}\nWith Docker, `nox -s {session.name}` runs this session.")


def run_docker_session(
    session: nox.Session, project: Project, suite: str, arguments: Sequence[str] = ()
) -> None:
    """Run one suite on the compose engine, where there is a Docker Engine.

    Args:
        session: The nox session.
        project: Where the suite's tests and configuration are.
        suite: Name of the suite.
        arguments: Options before those of the command line.
    """
    require_docker(session)
    run_suite_session(session, project, suite, ("--engine", "compose", *arguments))


def run_suite_session(
    session: nox.Session, project: Project, suite: str, arguments: Sequence[str] = ()
) -> None:
    """Run one suite, against a new stack for each of the project's stacks that have it.

    What is wrong with the command line or the configuration is said before anything is installed.

    Args:
        session: The nox session.
        project: Where the suite's tests and configuration are.
        suite: Name of the suite, which is also its marker.
        arguments: Options before those of the command line.
    """
    with told_errors(session):
        words = [*arguments, *session.posargs]
        options, rest = read_options(suite_options(suite), words, project.root)
        refuse_contradictions(options, rest)
        stacks = (options.stack,) if options.stack else project.stacks.get(suite, (None,))
        requests = [_request(project, suite, stack, options) for stack in stacks]
        if suite == LLM_SUITE and options.llm == CHECK:
            install(session, project)
            for request in requests:
                session.run("python", "-m", "stackproof.gateway", env=dict(request.llm or {}))
            return
        read = [(request, read_request(request)) for request in requests]
        chosen = _narrowed(read, given_paths(rest, project.root))
        at_once = workers_of(session, chosen) if options.parallel else []
        install(session, project)
        if options.parallel:
            require_xdist(session)
        if options.list_scenarios:
            show_scenarios(session, chosen, rest, as_json=options.json)
            return
        failed = [
            request.name
            for request in _with_tests(session, chosen, rest)
            if not _run_request(session, request, options, [*at_once, *rest], told=len(read) > 1)
        ]
    if failed:
        raise NoxCommandFailed(f"{', '.join(failed)} failed")


def _request(
    project: Project, suite: str, stack: str | None, options: argparse.Namespace
) -> SuiteRequest:
    llm = None
    if suite == LLM_SUITE and not options.list_scenarios:
        choice = LlmChoice(
            options.llm, options.budget_usd, options.cassettes, allow_unused=options.allow_unused
        )
        llm = choose(project.root, stack, os.environ, choice)
    return SuiteRequest(
        root=project.root,
        environment=dict(os.environ),
        suite=suite,
        stack=stack,
        engine=options.engine,
        profiles=tuple(options.profile),
        without=tuple(options.without),
        keep=options.keep,
        llm=llm,
        isolation=options.isolation,
    )


def _narrowed(read: Sequence[ReadRequest], given: Sequence[Path]) -> list[ReadRequest]:
    """Of several stacks, those whose scenarios the given paths lie in; without paths all."""
    if len(read) == 1 or not given:
        return list(read)
    scenarios = {request.stack: _scenarios(request, resolved) for request, resolved in read}
    chosen = [
        (request, resolved)
        for request, resolved in read
        if any(path.is_relative_to(top) for path in given for top in scenarios[request.stack])
    ]
    if not chosen:
        tops = [str(top) for found in scenarios.values() for top in found]
        raise ConfigError(
            f"the paths are outside the {read[0][0].suite} scenarios",
            observed="\n".join(map(str, given)),
            remedy=f"the scenarios are in {', '.join(dict.fromkeys(tops))}",
        )
    return chosen


def _scenarios(request: SuiteRequest, resolved: ResolvedStack) -> list[Path]:
    paths = resolved.settings.suite(request.suite).paths
    return [(request.root / path).resolve() for path in paths]


def _with_tests(
    session: nox.Session, read: Sequence[ReadRequest], rest: Sequence[str]
) -> list[SuiteRequest]:
    """The requests that have tests to run, asked of pytest before any stack is started.

    Raises:
        StackproofError: If pytest refuses the command line, or no test is left.
    """
    if not rest:
        return [request for request, _ in read]
    found, told = [], ""
    for request, resolved in read:
        suite_paths = resolved.settings.suite(request.suite).paths
        if not has_tests(request.root, suite_paths):
            found.append(request)
            continue
        with reminding(session.log, f"looking for the tests of {request.name}"):
            code, told = collect(session, [*collection_arguments(resolved, request.suite), *rest])
        if code == USAGE_ERROR:
            raise StackproofError("pytest refuses the command line", observed=told)
        if code != NO_TESTS:
            found.append(request)
    if not found:
        raise StackproofError("no test was chosen, so nothing was started", observed=told)
    return found


def _run_request(
    session: nox.Session,
    request: SuiteRequest,
    options: argparse.Namespace,
    rest: Sequence[str],
    *,
    told: bool,
) -> bool:
    """Run a suite on one stack; tells whether all passed."""
    if told:
        session.log(request.name)
    chosen = [] if request.llm is None else [f"--llm={options.llm}"]

    def run_tests(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
        return run_pytest(session, [*arguments, *chosen, *rest], environment)

    return run_suite(request, run_tests, session.log)


def run_pytest(
    session: nox.Session, arguments: Sequence[str], environment: Mapping[str, str]
) -> bool:
    """Run pytest in a session's environment; tells whether all tests passed.

    Args:
        session: The nox session.
        arguments: Arguments of pytest.
        environment: Variables beside the session's own.
    """
    try:
        session.run(
            "pytest",
            *arguments,
            env=dict(environment),
            interrupt_timeout=INTERRUPT_TIMEOUT,
            terminate_timeout=TERMINATE_TIMEOUT,
        )
    except NoxCommandFailed:
        return False
    return True
