"""The Python interpreters of this machine that the unit tests can run on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 14)


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
