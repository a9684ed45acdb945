"""The labels that everything carries which stackproof makes in Docker."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

RUN = "dev.stackproof.run"
PROJECT = "dev.stackproof.project"
STACK = "dev.stackproof.stack"
OWNER = "dev.stackproof.owner"

SNAPSHOT = "dev.stackproof.snapshot"
"""Of images only: the folder of the snapshot that they belong to."""

SERVICE = "com.docker.compose.service"
"""Set by Docker Compose: name of the service."""

DEPENDS_ON = "com.docker.compose.depends_on"
"""Set by Docker Compose: `name:condition:restart`, separated by commas."""


def owner() -> str:
    """Who makes things here: the user and the machine."""
    return f"{os.getuid()}@{socket.gethostname()}"


def labels_of(*, run_id: str, project: str, stack: str) -> Mapping[str, str]:
    """The labels of one run.

    Args:
        run_id: Identity of the run.
        project: Name of the copy of the stack.
        stack: Name of the stack.
    """
    return {RUN: run_id, PROJECT: project, STACK: stack, OWNER: owner()}


def of_run(run_id: str) -> dict[str, list[str]]:
    """The filter that finds what belongs to a run."""
    return {"label": [f"{RUN}={run_id}"]}
