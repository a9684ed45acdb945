"""Where a run keeps what must not outlive it: one folder a project below the state root."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from stackproof.errors import ConfigError

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

    def server(self, service: str) -> Path:
        """What a server of a known image has beside its data: its socket and configuration."""
        return self.path / "servers" / service

    def home(self, service: str) -> Path:
        """The home folder of a service."""
        return self.path / "home" / service

    def __repr__(self) -> str:
        return f"RunFolder({str(self.root)!r}, {self.project!r})"
