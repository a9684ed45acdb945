"""Where a run keeps what must not outlive it: one folder a project below the state root."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from stackproof.errors import ConfigError

PROJECT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


SYSTEM_STATE = Path("/var/lib/stackproof")
"""Root's: servers that refuse to run as root must pass through, and root's home is closed."""


def state_root(environment: Mapping[str, str]) -> Path:
    """The folder of all runs of this user on this machine.

    Args:
        environment: The process environment; STACKPROOF_STATE_DIR chooses another folder.
    """
    chosen = environment.get("STACKPROOF_STATE_DIR")
    if chosen:
        return Path(chosen).absolute()
    return state_base(environment) / f"run-{_machine()}"


def state_base(environment: Mapping[str, str]) -> Path:
    """A folder of this user that stays: the cache; for root, a folder of the system.

    A run holds whole databases and may outlive the login, so the folder for run-time files
    (XDG_RUNTIME_DIR: in memory, small, removed at logout) comes after the cache. The temporary
    folder is the last resort: others can take the name there, which is an error then.

    Args:
        environment: The process environment.
    """
    candidates = [SYSTEM_STATE] if os.geteuid() == 0 else []
    for variable, below in (("XDG_CACHE_HOME", ""), ("HOME", ".cache"), ("XDG_RUNTIME_DIR", "")):
        given = environment.get(variable, "")
        if given.startswith("/"):
            candidates.append(Path(given, below, "stackproof"))
    candidates.append(temporary_folder() / f"stackproof-{os.geteuid()}")
    return next((candidate for candidate in candidates if _can_be(candidate)), candidates[-1])


def temporary_folder() -> Path:
    """The folder for temporary files; `/tmp` where none can be written to, such as on full disks.

    The standard library tries to write to each, and has no answer where it can't.
    """
    try:
        return Path(tempfile.gettempdir())
    except OSError:
        return Path("/tmp")  # noqa: S108 - it is not written to here


def _can_be(folder: Path) -> bool:
    """Whether a folder is there, or could be made."""
    if os.path.lexists(folder):
        return True
    nearest = next(parent for parent in folder.parents if os.path.lexists(parent))
    return os.access(nearest, os.W_OK | os.X_OK)


def _machine() -> str:
    """What tells machines apart that share a home folder: none may clean up after another."""
    try:
        identity = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        identity = ""
    return hashlib.sha256((identity or os.uname().nodename).encode()).hexdigest()[:8]


class RunFolder:
    """The paths of one run.

    Args:
        root: The state root.
        project: Name of the copy of the stack: lower-case letters, digits, `_` and `-`.

    Raises:
        ConfigError: If the name is not valid.
    """

    def __init__(self, root: Path, project: str) -> None:
        if not PROJECT_NAME.fullmatch(project):
            raise ConfigError(
                f"{project!r} is not a valid project name",
                remedy="use up to 63 lower-case letters, digits, - and _, beginning with a letter "
                "or digit",
            )
        self.root = root
        self.project = project
        self.path = root / "runs" / project
        self.record = self.path / "record.json"
        self.about = self.path / "about.json"
        self.control_socket = self.path / "control.sock"
        self.events = self.path / "events.jsonl"
        self.cgroups = self.path / "cgroups"
        self.logs = self.path / "logs"
        self.data = self.path / "data"
        self.kept = root / "kept" / project

    def tmp(self, service: str) -> Path:
        """The temporary folder of a service."""
        return self.path / "tmp" / service

    def server(self, service: str) -> Path:
        """What a server of a known image has beside its data: its socket and configuration."""
        return self.path / "servers" / service

    def home(self, service: str) -> Path:
        """The home folder of a service."""
        return self.path / "home" / service

    def __repr__(self) -> str:
        return f"RunFolder({str(self.root)!r}, {self.project!r})"
