"""Where a run keeps what must not outlive it: one folder a project below the state root."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from stackproof.errors import ConfigError, Refused

PROJECT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def state_root(environment: Mapping[str, str]) -> Path:
    """The folder of all runs of this user: $STACKPROOF_STATE_DIR, or one in the temporary folder.

    Args:
        environment: The process environment.
    """
    chosen = environment.get("STACKPROOF_STATE_DIR")
    if chosen:
        return Path(chosen).absolute()
    return Path(tempfile.gettempdir()) / f"stackproof-{os.getuid()}"


def ensure_state_root(root: Path) -> None:
    """Make the state root, or check that the one that exists belongs to this user.

    Root's can be passed through (not listed) by others, since PostgreSQL refuses to run as root.

    Raises:
        Refused: If it belongs to somebody else, is a link, or others may write to it.
    """
    root.mkdir(mode=0o711 if os.getuid() == 0 else 0o700, parents=True, exist_ok=True)
    found = root.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise Refused(f"{root} is not a folder", remedy="remove it, or set STACKPROOF_STATE_DIR")
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise Refused(
            f"{root} is not safe to keep runs in",
            observed=f"owner {found.st_uid}, mode {stat.S_IMODE(found.st_mode):o}",
            remedy="remove it, or set STACKPROOF_STATE_DIR to a folder of your own",
        )


class RunFolder:
    """The paths of one run.

    Args:
        root: The state root.
        project: Name of the copy of the stack: lower-case letters, digits, `_` and `-`.

    Raises:
        ConfigError: If the name is not such a one.
    """

    def __init__(self, root: Path, project: str) -> None:
        if not PROJECT_NAME.fullmatch(project):
            raise ConfigError(
                f"{project!r} can't be the name of a project",
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

    def home(self, service: str) -> Path:
        """The home folder of a service."""
        return self.path / "home" / service

    def __repr__(self) -> str:
        return f"RunFolder({str(self.root)!r}, {self.project!r})"
