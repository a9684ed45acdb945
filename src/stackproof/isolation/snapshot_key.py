"""The name of the data that a stack has after migrate and seed: a digest of all that makes them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from stackproof.engines.base import Say
from stackproof.engines.cache import content_key
from stackproof.stack.resolved import Blueprint

FORMAT = 2
"""Part of every key; changes when snapshots are taken in another way."""

LARGE = 8 << 20
"""Bytes of a file from which on its size and time stand for its content."""

IGNORED = frozenset({"__pycache__", ".git", ".venv", ".nox", ".artifacts", "node_modules",
                     ".pytest_cache", ".mypy_cache", ".ruff_cache"})  # fmt: skip


def snapshot_key(blueprint: Blueprint, say: Say) -> str:
    """What decides about the data after migrate and seed.

    The stack files, variables and environments, the commands, the kinds and versions of servers or
    the images, and every file of the projects and of the folders and files that are mounted.

    Args:
        blueprint: The stack.
        say: Takes lines of progress: an image may have to be fetched.
    """
    settings, plan = blueprint.settings, blueprint.plan
    return content_key(
        FORMAT,
        blueprint.engine.name,
        [_digest(path) for path in blueprint.stack_file.sources],
        dict(settings.variables),
        {name: dict(values) for name, values in settings.environment.items()},
        [asdict(one) for one in (*settings.migrate, *settings.seed)],
        sorted(one.name for one in plan.services),
        blueprint.engine.snapshots.inputs(plan, say),
        [list(_tree(path)) for path in sorted(_paths(blueprint))],
    )


def _paths(blueprint: Blueprint) -> Iterator[Path]:
    """The projects that run natively, and all that is mounted of this machine."""
    found: set[Path] = set()
    for one in blueprint.plan.services:
        if one.runtime is not None and one.runtime.project is not None:
            found.add(one.runtime.project)
        read = [mount for mount in one.outside if mount.kind == "bind" and mount.action != "fresh"]
        found |= {Path(mount.source) for mount in read}
        found |= set(one.mounts.values())
    return (path for path in found if path.exists())


def _tree(root: Path) -> Iterator[tuple[str, str]]:
    if root.is_file():
        yield root.name, _digest(root)
        return
    for folder, names, files in os.walk(root):
        names[:] = sorted(set(names) - IGNORED)
        for name in sorted(files):
            path = Path(folder, name)
            if path.is_file():
                yield str(path.relative_to(root)), _digest(path)


def _digest(path: Path) -> str:
    about = path.stat()
    if about.st_size >= LARGE:
        return f"{about.st_size} {about.st_mtime_ns}"
    return hashlib.sha256(path.read_bytes()).hexdigest()
