"""The labels that everything carries which stackproof makes in Docker."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

RUN = "dev.stackproof.run"
PROJECT = "dev.stackproof.project"
STACK = "dev.stackproof.stack"
OWNER = "dev.stackproof.owner"

ROOT = "dev.stackproof.root"
"""The state folder of the run: copies of one name below two of them are not the same."""

SNAPSHOT = "dev.stackproof.snapshot"
"""Of images only: the folder of the snapshot that they belong to."""

SERVICE = "com.docker.compose.service"
"""Set by Docker Compose: name of the service."""

DEPENDS_ON = "com.docker.compose.depends_on"
"""Set by Docker Compose: `name:condition:restart`, separated by commas."""


def owner() -> str:
    """Who makes things here: the user and the machine."""
    return f"{os.getuid()}@{socket.gethostname()}"


def labels_of(*, run_id: str, project: str, stack: str, root: Path) -> Mapping[str, str]:
    """The labels of one run.

    Args:
        run_id: Identity of the run.
        project: Name of the copy of the stack.
        stack: Name of the stack.
        root: The state folder.
    """
    return {RUN: run_id, PROJECT: project, STACK: stack, OWNER: owner(), ROOT: str(root)}


def own_labels(project: str, root: Path) -> dict[str, str]:
    """The labels by which all runs of this user's copy of a name are known."""
    return {PROJECT: project, OWNER: owner(), ROOT: str(root)}


def of_project(project: str, root: Path) -> dict[str, list[str]]:
    """The filter that finds what this user's copy of that name has, also of earlier runs."""
    own = own_labels(project, root)
    return {"label": [f"{key}={value}" for key, value in own.items()]}


def of_run(run_id: str) -> dict[str, list[str]]:
    """The filter that finds what belongs to a run."""
    return {"label": [f"{RUN}={run_id}"]}
