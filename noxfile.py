"""The sessions of this repository; `nox --list` shows them."""

from dataclasses import replace
from pathlib import Path

import nox

from stackproof.sessions import (
    Project,
    define_sessions,
    install,
    replaceable,
    require_docker,
    run_docker_session,
    run_suite_session,
)

nox.needs_version = ">=2026.8.10"
nox.options.reuse_venv = "yes"
nox.options.stop_on_first_error = False

LOCK = "requirements/dev.txt"
ITSELF = ("--no-deps", "--no-build-isolation",
          "-e", "packages/redaction", "-e", "packages/gateway", "-e", ".")  # fmt: skip
SLOWEST = ("--durations=15", "--durations-min=5")
"""What costs most is told, so that it can be made cheaper."""

CLIENTS = {
    "newest": "requirements/gateway-clients.txt",
    "newest-apart": "requirements/gateway-clients-apart.txt",
    "oldest": "requirements/gateway-clients-oldest.txt",
}

PROJECT = Project(
    root=Path(__file__).parent,
    lock=LOCK,
    packages=ITSELF,
    unit_tests=("tests/unit", "packages/redaction/tests", "packages/gateway/tests"),
    unit_options=("-n", "2", "--dist", "loadfile"),
    sources=(".", "dev"),
    bench=("python", "-m", "benchmarks"),
    stacks={
        "e2e": ("runs", "plans", "memory", "automation"),
        "e2e_llm": ("runs", "plans", "memory"),
    },
)

# The scenarios of memory have both markers: the session e2e runs them with the provider `fake`.
FAKE = replace(PROJECT, stacks={"e2e_llm": ("runs", "plans")})
KEYLESS = (("fake", FAKE), ("replay", PROJECT))

# Those of e2e whose tests have a stack each: the services of one that all share start anew anyway.
APART = replace(PROJECT, stacks={"e2e": ("plans", "memory", "automation")})

define_sessions(PROJECT)


@nox.session(venv_backend="uv", name="e2e-cold", allow_parallel=True)
def e2e_cold(session: nox.Session) -> None:
    """Run the e2e scenarios once more, with services that start anew in place of forks."""
    run_suite_session(session, APART, "e2e", ("--cold",))


@nox.session(venv_backend="uv", name="e2e_llm-keyless", allow_parallel=True)
def e2e_llm_keyless(session: nox.Session) -> None:
    """Run the e2e_llm scenarios with all providers that need no key: fake and replay."""
    for llm, project in KEYLESS:
        run_suite_session(session, project, "e2e_llm", ("--llm", llm))


@nox.session(venv_backend="uv", name="docker-e2e_llm-keyless", allow_parallel=True)
def docker_e2e_llm_keyless(session: nox.Session) -> None:
    """Run the same scenarios on a real Docker Engine; skipped where there is none."""
    for llm, project in KEYLESS:
        run_docker_session(session, project, "e2e_llm", ("--llm", llm))


@nox.session(venv_backend="uv", allow_parallel=True)
def toolkit(session: nox.Session) -> None:
    """Run the tests of the tasks and sessions themselves, on a small project."""
    install(session, PROJECT)
    paths = replaceable(["tests/toolkit", "tests/bad_input", "tests/test_architecture.py"])
    session.run("pytest", *SLOWEST, *paths, *session.posargs)


@nox.session(venv_backend="uv", allow_parallel=True)
def strangers(session: nox.Session) -> None:
    """Take stacks of other people from `stackproof init` to a green test; STRANGERS=all: all."""
    install(session, PROJECT)
    paths = replaceable(["tests/strangers"])
    session.run("pytest", "-n", "2", *SLOWEST, *paths, *session.posargs)


@nox.session(venv_backend="uv", allow_parallel=True)
def docker(session: nox.Session) -> None:
    """Run the tests of the compose engine; skipped where no Docker Engine answers."""
    require_docker(session)
    install(session, PROJECT)
    session.run("pytest", *SLOWEST, *replaceable(["tests/docker"]), *session.posargs)


@nox.session(venv_backend="uv", allow_parallel=True)
@nox.parametrize("lock", list(CLIENTS.values()), ids=list(CLIENTS))
def gateway_clients(session: nox.Session, lock: str) -> None:
    """Run the gateway's tests with the clients and frameworks that people use."""
    install(session, Project(root=Path(__file__).parent, lock=lock, packages=ITSELF))
    oldest = lock == CLIENTS["oldest"]
    paths = ["tests/gateway_clients/frameworks" if oldest else "tests/gateway_clients"]
    # Frameworks leave connections to the garbage collector. Those found after the last test, where
    # the filters of the tests' conftest don't hold any more, would end pytest with an error.
    session.run("pytest", "-p", "no:unraisableexception", *replaceable(paths), *session.posargs)


@nox.session(venv_backend="uv")
def docs(session: nox.Session) -> None:
    """Build the documentation site, and check every link, command and snippet of the pages."""
    install(
        session, Project(root=Path(__file__).parent, lock="requirements/docs.txt", packages=ITSELF)
    )
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-b", "html", "docs", "docs/_build")
    session.run("pytest", *replaceable(["tests/docs"]), *session.posargs)
