"""What shows that a worker is ready: the line that its framework logs when it takes work."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from stackproof.tasks.init.source_trees import SourceTree

READY_LINES: Sequence[tuple[str, str]] = (
    (r"\bcelery\b.*\bworker\b.*(?:-l|--loglevel)[ =]?(?i:info|debug)\b", r"celery@\S+ ready"),
    (r"\bcelery\b.*(?:-l|--loglevel)[ =]?(?i:info|debug)\b.*\bworker\b", r"celery@\S+ ready"),
    (r"\bcelery\b.*\bbeat\b.*(?:-l|--loglevel)[ =]?(?i:info|debug)\b", "beat: Starting"),
    (r"(?:^|[\s/])rq\s+worker\b", "Listening on"),
    (r"(?:^|[\s/])dramatiq\b", "Worker process is ready"),
    (r"\bhuey_consumer\b|\brun_huey\b", "Huey consumer started"),
    (r"(?:^|[\s/])arq\s", "Starting worker for"),
    (r"\bsidekiq\b", "Starting processing"),
)
"""A command, and what the program writes once it takes work; Celery only at the level info."""


def ready_lines(trees: Sequence[SourceTree]) -> dict[str, Mapping[str, Any]]:
    """The `ready` of services that no health check and no port tells of, by service.

    Args:
        trees: The services that are on.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for tree in trees:
        service = tree.service
        if tree.is_native or tree.is_checked or service.ports or "ready" in service.extension:
            continue
        line = next((line for way, line in READY_LINES if re.search(way, tree.starts)), "")
        if line:
            found[tree.name] = {"log": line}
    return found
