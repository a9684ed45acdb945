"""Finds the parts of a Python project that running it needs."""

from __future__ import annotations

from pathlib import Path

LOCKS = ("requirements.lock", "requirements.txt", "uv.lock", "requirements/prod.txt")
"""Where the dependencies of a project are looked for, in this order."""


def find_lock(project: Path) -> Path | None:
    """The file that pins the project's dependencies; None where there is none."""
    return next((project / name for name in LOCKS if (project / name).is_file()), None)


def source_roots(project: Path) -> tuple[Path, ...]:
    """The folders that the project's packages are imported from."""
    return (project / "src",) if (project / "src").is_dir() else (project,)
