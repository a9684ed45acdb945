"""The sessions of this repository; `nox --list` shows them."""

from pathlib import Path

import nox

from stackproof.sessions import (
    Project,
    define_sessions,
    install,
    require_docker,
    run_docker_session,
    run_suite_session,
)

nox.needs_version = ">=2024.10.9"
nox.options.reuse_venv = "yes"
nox.options.stop_on_first_error = False

LOCK = "requirements/dev.txt"
KEYLESS = ("fake", "replay")
ITSELF = ("--no-deps", "--no-build-isolation", "-e", ".")

PROJECT = Project(
    root=Path(__file__).parent,
    lock=LOCK,
    packages=ITSELF,
    unit_options=("-n", "2", "--dist", "loadfile"),
    sources=(".", "dev"),
    bench=("python", "-m", "benchmarks"),
    stacks={"e2e": ("runs", "plans"), "e2e_llm": ("runs", "plans")},
)

define_sessions(PROJECT)


@nox.session(venv_backend="uv", name="e2e_llm-keyless")
def e2e_llm_keyless(session: nox.Session) -> None:
    """Run the e2e_llm scenarios with all providers that need no key: fake and replay."""
    for llm in KEYLESS:
        run_suite_session(session, PROJECT, "e2e_llm", ("--llm", llm))


@nox.session(venv_backend="uv", name="docker-e2e_llm-keyless")
def docker_e2e_llm_keyless(session: nox.Session) -> None:
    """Run them once more, on a real Docker Engine; skipped without one."""
    for llm in KEYLESS:
        run_docker_session(session, PROJECT, "e2e_llm", ("--llm", llm))


@nox.session(venv_backend="uv")
def toolkit(session: nox.Session) -> None:
    """Run the tests of the tasks and suites themselves, on a small project of their own."""
    install(session, PROJECT)
    session.run(
        "pytest", "tests/toolkit", "tests/bad_input", "tests/test_architecture.py", *session.posargs
    )


@nox.session(venv_backend="uv")
def docker(session: nox.Session) -> None:
    """Run the tests of the compose engine; skipped where no Docker Engine answers."""
    require_docker(session)
    install(session, PROJECT)
    session.run("pytest", "tests/docker", *session.posargs)


@nox.session(venv_backend="uv")
def gateway_clients(session: nox.Session) -> None:
    """Run the gateway's tests with the clients that people use: LiteLLM, anthropic, llama-index."""
    lock = "requirements/gateway-clients.txt"
    install(session, Project(root=Path(__file__).parent, lock=lock, packages=ITSELF))
    session.run("pytest", "tests/gateway_clients", *session.posargs)


@nox.session(venv_backend="uv")
def docs(session: nox.Session) -> None:
    """Build the documentation site, and check every link, command and snippet of the pages."""
    install(
        session, Project(root=Path(__file__).parent, lock="requirements/docs.txt", packages=ITSELF)
    )
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-b", "html", "docs", "docs/_build")
    session.run("pytest", "tests/docs", *session.posargs)
