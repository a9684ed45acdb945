"""What the sessions need to know of a project, and how its environments are installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import nox

from stackproof.waiting import reminding


@dataclass(frozen=True)
class Project:
    """What the sessions need to know of the project that they are defined for.

    Attributes:
        root: The folder of the noxfile.
        lock: Hashed requirements file of the sessions' environments; None installs `packages`.
        packages: What to install beside the lock, as arguments of `uv pip install`.
        unit_tests: Folders of the unit tests.
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
    unit_tests: str | tuple[str, ...] = "tests/unit"
    unit_options: tuple[str, ...] = ()
    sources: tuple[str, ...] = (".",)
    typed: tuple[str, ...] = ()
    bench: tuple[str, ...] = ()
    stacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def install(session: nox.Session, project: Project) -> None:
    """Bring a session's environment to what the lock says.

    Args:
        session: The nox session.
        project: Names the lock and the packages.
    """
    session.env["UV_PYTHON_DOWNLOADS"] = "never"
    if project.lock:
        with reminding(session.log, f"installing {project.lock}"):
            session.install("--quiet", "--require-hashes", "-r", project.lock)
    if project.packages:
        with reminding(session.log, f"installing {' '.join(project.packages)}"):
            session.install("--quiet", *project.packages)
