"""Finds an interpreter of the version of Python that a service wants; nothing is downloaded."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from stackproof.engines.process.images.search import matching, program_version
from stackproof.errors import EngineUnavailable


def find_python(version: str) -> Path:
    """The interpreter for a service.

    Args:
        version: Such as `3.12` or `3.12.1`; empty for the one that runs stackproof.

    Raises:
        EngineUnavailable: If there is none of that version, with what was found.
    """
    running = ".".join(map(str, sys.version_info[:3]))
    if not version or _fits(running, version):
        return Path(sys.executable)
    seen: dict[str, Path] = {running: Path(sys.executable)}
    for program in _places(version):
        found = program_version(program)
        if _fits(found, version):
            return program
        if found:
            seen.setdefault(found, program)
    raise EngineUnavailable(
        f"there is no Python {version} on this machine",
        checked=[
            f"PATH: no python{version} that starts",
            "pyenv, uv and Homebrew: none that fits",
            *(f"{path}: is version {found}" for found, path in seen.items()),
        ],
        remedy=f"install it (`uv python install {version}`), or remove `x-stackproof.python` to "
        f"run the service with {running}",
    )


def _fits(found: str, version: str) -> bool:
    return found == version or found.startswith(f"{version}.")


def _places(version: str) -> Iterator[Path]:
    """Where interpreters are; a pyenv shim on PATH need not start, so the folders are searched."""
    on_path = shutil.which(f"python{version}", path=os.environ.get("PATH"))
    if on_path:
        yield Path(on_path)
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - pathlib's raises where there is none
    minor = ".".join(version.split(".")[:2])
    patterns = (
        f"{os.environ.get('PYENV_ROOT', home / '.pyenv')}/versions/{version}*/bin/python",
        f"{home}/.local/share/uv/python/cpython-{version}*/bin/python{minor}",
        f"/usr/local/bin/python{minor}",
        f"/usr/bin/python{minor}",
        f"/opt/homebrew/opt/python@{minor}/bin/python{minor}",
    )
    for path, _ in matching(patterns):
        yield path
