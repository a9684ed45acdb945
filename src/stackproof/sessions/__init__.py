"""The nox sessions of a project: `define_sessions(Project(root=…))` in its noxfile."""

from stackproof.sessions.definition import define_sessions
from stackproof.sessions.options import SUITES, suite_options
from stackproof.sessions.project import Project, install
from stackproof.sessions.suite import require_docker, run_docker_session, run_suite_session
from stackproof.suites.pytest_arguments import replaceable

__all__ = [
    "SUITES",
    "Project",
    "define_sessions",
    "install",
    "replaceable",
    "require_docker",
    "run_docker_session",
    "run_suite_session",
    "suite_options",
]
