"""The nox sessions: each suite is up → migrate → seed → pytest → collect → down, whatever fails."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import nox
from nox.command import CommandFailed as NoxCommandFailed

from stackproof.errors import BUG, EngineUnavailable, StackproofError
from stackproof.settings.llm_choice import CHECK, MODES, LlmChoice
from stackproof.settings.storage import storage_errors
from stackproof.suites.flake_session import measure
from stackproof.suites.llm_session import choose
from stackproof.suites.suite import SuiteRequest, run_suite

LLM_SUITE = "e2e_llm"
SUITES = ("integration", "e2e", LLM_SUITE)
DOCKER_SUITES = ("integration", "e2e")
OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 14)

INTERRUPT_TIMEOUT = 20.0
"""Seconds that pytest gets after Ctrl-C; nox's own 0.3 s would cut its clean-up."""

TERMINATE_TIMEOUT = 10.0
"""Seconds that pytest gets after SIGTERM."""


@dataclass(frozen=True)
class Project:
    """What the sessions need to know of the project that they are defined for.

    Attributes:
        root: The folder of the noxfile.
        lock: Hashed requirements file of the sessions' environments; None installs `packages`.
        packages: What to install beside the lock, as arguments of `uv pip install`.
        unit_tests: Folder of the unit tests.
        unit_options: Options of pytest for them, such as `-n 2`.
        sources: What ruff looks at.
        typed: What mypy looks at; empty for its own configuration.
        bench: Command of the `bench` session; empty leaves the session out.
        stacks: Stacks whose scenarios a suite's session runs one after the other, by the suite's
            name; without them, and with `--stack`, it is one.
    """

    root: Path
    lock: str | None = None
    packages: tuple[str, ...] = ("stackproof",)
    unit_tests: str = "tests/unit"
    unit_options: tuple[str, ...] = ()
    sources: tuple[str, ...] = (".",)
    typed: tuple[str, ...] = ()
    bench: tuple[str, ...] = ()
    stacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def define_sessions(project: Project) -> None:
    """Register the sessions: `lint`, `unit`, the suites, also with Docker, `flake`, `bench`.

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
            f"The {suite} scenarios once more, on a real Docker Engine; skipped without one.",
        )
    _define(
        "flake",
        lambda session: _flake(session, project),
        "How often tests fail: `-- PATH --runs 50`; `-- --help` has options.",
        no=True,
    )
    if project.bench:
        _define("bench", lambda session: _bench(session, project), "Measure, as ratios.", no=True)


def _define(
    name: str,
    function: Callable[[nox.Session], None],
    text: str,
    *,
    python: str | None = None,
    no: bool = False,
) -> None:
    def session_function(session: nox.Session) -> None:
        try:
            with storage_errors():
                function(session)
        except StackproofError as error:
            session.error(str(error))
        except Exception as error:
            if not type(error).__module__.startswith("nox."):  # those are nox's own verdicts
                session.warn(BUG)
            raise

    session_function.__doc__ = text
    nox.session(name=name, python=python, venv_backend="uv", default=not no)(session_function)


def other_interpreters() -> list[tuple[str, str]]:
    """Interpreters of the supported versions, other than the running one, as (version, path)."""
    found = []
    for minor in range(OLDEST_PYTHON[1], NEWEST_PYTHON[1] + 1):
        if (3, minor) == sys.version_info[:2]:
            continue
        path = next(filter(_starts, _candidates(minor)), None)
        if path:
            found.append((f"3.{minor}", path))
    return found


def _candidates(minor: int) -> list[str]:
    on_path = shutil.which(f"python3.{minor}")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    kept: list[Path] = []
    with suppress(OSError):  # it may be somebody else's
        kept = sorted(pyenv.glob(f"3.{minor}.*/bin/python3.{minor}"), reverse=True)
    return ([on_path] if on_path else []) + [str(path) for path in kept]


def _starts(python: str) -> bool:
    probe = subprocess.run([python, "-c", "import venv"], capture_output=True, check=False)
    return probe.returncode == 0


def install(session: nox.Session, project: Project) -> None:
    """Bring a session's environment to what the lock says."""
    session.env["UV_PYTHON_DOWNLOADS"] = "never"
    if project.lock:
        session.install("--quiet", "--require-hashes", "-r", project.lock)
    if project.packages:
        session.install("--quiet", *project.packages)


def _lint(session: nox.Session, project: Project) -> None:
    install(session, project)
    session.run("ruff", "check", *project.sources)
    session.run("ruff", "format", "--check", *project.sources)
    session.run("mypy", *project.typed)


def _unit(session: nox.Session, project: Project) -> None:
    install(session, project)
    session.run("pytest", project.unit_tests, *project.unit_options, *session.posargs)


def _bench(session: nox.Session, project: Project) -> None:
    install(session, project)
    session.run(*project.bench, *session.posargs, interrupt_timeout=INTERRUPT_TIMEOUT)


def _flake(session: nox.Session, project: Project) -> None:
    install(session, project)
    if project.lock is None:
        session.install("--quiet", "pytest-xdist")
    try:
        passed = measure(
            project.root,
            dict(os.environ),
            session.posargs,
            lambda arguments: _pytest(session, arguments, {}),
            session.log,
        )
    except StackproofError as error:
        session.error(str(error))
    if not passed:
        raise NoxCommandFailed("a run has failed")


def suite_options(suite: str) -> argparse.ArgumentParser:
    """The options that a suite's session takes after `--`; all others go to pytest."""
    parser = argparse.ArgumentParser(
        prog=f"nox -s {suite} --",
        description=f"Start the stack, run `pytest -m {suite}`, collect artifacts, take it down.",
        epilog="All other arguments go to pytest, such as -k NAME, -x or a path.",
        allow_abbrev=False,
    )
    parser.add_argument("--stack", help="name of config/<stack>.yaml")
    parser.add_argument(
        "--engine", choices=["process", "compose", "attached"], help="what runs the services"
    )
    parser.add_argument("--profile", action="append", default=[], help="profile to switch on")
    parser.add_argument(
        "--with-beat", action="append_const", dest="profile", const="beat", help="--profile beat"
    )
    parser.add_argument(
        "--keep", action="store_true", help="leave the stack up after a failure, to look around"
    )
    parser.add_argument(
        "--isolation",
        choices=["shared", "session", "module", "test"],
        help="whose the stack of a test is; with `test`, add `-n 4` to run tests in parallel",
    )
    if suite == LLM_SUITE:
        parser.add_argument(
            "--llm",
            choices=[*MODES, CHECK],
            help="who answers the model calls, required; check asks again what was recorded",
        )
        parser.add_argument(
            "--budget-usd", metavar="USD", help="what record, live and check may spend"
        )
        parser.add_argument(
            "--cassettes",
            metavar="FOLDER",
            type=Path,
            help="recordings of record, replay and check (tests/cassettes/<stack>)",
        )
    return parser


def require_docker(session: nox.Session) -> None:
    """Skip a session where no Docker Engine answers; in CI that is a failure.

    Args:
        session: The nox session.
    """
    from stackproof.engines.compose.connection import connect, require_compose

    try:
        require_compose(os.environ)
        connect(os.environ).close()
    except EngineUnavailable as error:
        if os.environ.get("CI"):
            session.error(str(error))
        session.skip(f"{error}\nWith Docker, `nox -s {session.name}` runs this.")


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
    """Run one suite, against a stack of its own for each of the project's stacks that have it.

    Args:
        session: The nox session.
        project: Where the suite's tests and configuration are.
        suite: Name of the suite, which is also its marker.
        arguments: Options before those of the command line.
    """
    options, rest = suite_options(suite).parse_known_args([*arguments, *session.posargs])
    stacks = (options.stack,) if options.stack else project.stacks.get(suite, (None,))
    choices = [_llm_choice(session, project, suite, stack, options) for stack in stacks]
    install(session, project)
    failed = []
    for stack, llm in zip(stacks, choices, strict=True):
        if options.stack is None and stack is not None:
            session.log(f"{suite} of {stack}")
        if suite == LLM_SUITE and options.llm == CHECK:
            session.run("python", "-m", "stackproof.gateway", env=dict(llm or {}))
        elif not _run_one(session, project, suite, stack, options, rest, llm):
            failed.append(f"{suite} of {stack}" if stack else suite)
    if failed:
        raise NoxCommandFailed(f"{', '.join(failed)} failed")


def _llm_choice(
    session: nox.Session,
    project: Project,
    suite: str,
    stack: str | None,
    options: argparse.Namespace,
) -> dict[str, str] | None:
    """The variables that tell the gateway who answers; None where nobody is to be chosen."""
    if suite != LLM_SUITE:
        return None
    choice = LlmChoice(options.llm, options.budget_usd, options.cassettes)
    try:
        return choose(project.root, stack, os.environ, choice)
    except StackproofError as error:
        session.error(str(error))


def _run_one(
    session: nox.Session,
    project: Project,
    suite: str,
    stack: str | None,
    options: argparse.Namespace,
    rest: Sequence[str],
    llm: Mapping[str, str] | None,
) -> bool:
    """Run a suite of one stack; tells whether all passed."""
    request = SuiteRequest(
        root=project.root,
        environment=dict(os.environ),
        suite=suite,
        stack=stack,
        engine=options.engine,
        profiles=tuple(options.profile),
        keep=options.keep,
        llm=llm,
        isolation=options.isolation,
    )
    chosen = [] if llm is None else [f"--llm={options.llm}"]

    def pytest(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
        return _pytest(session, [*arguments, *chosen, *rest], environment)

    try:
        return run_suite(request, pytest, session.log)
    except StackproofError as error:
        session.error(str(error))


def _pytest(session: nox.Session, arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
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
