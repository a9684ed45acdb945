"""The name of the data that a stack has after migrate and seed: a digest of all that makes them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from stackproof.engines.base import Say
from stackproof.engines.cache import content_key
from stackproof.stack.resolved import ResolvedStack
from stackproof.stack.service_files import digest

FORMAT = 4
"""Part of every key; changes when snapshots are taken in another way."""

IGNORED = frozenset({"__pycache__", ".git", ".venv", ".nox", ".artifacts", "node_modules",
                     ".pytest_cache", ".mypy_cache", ".ruff_cache"})  # fmt: skip


def snapshot_key(resolved: ResolvedStack, say: Say) -> str:
    """What decides about the data after migrate and seed.

    The stack files, variables and environments, the commands, the world, the servers that were
    really found or the images, and every file of the projects and of what is mounted.

    Args:
        resolved: The stack.
        say: Takes lines of progress: an image may have to be fetched.
    """
    settings, plan = resolved.settings, resolved.plan
    return content_key(
        FORMAT,
        resolved.engine.name,
        plan.world,
        [digest(path) for path in resolved.stack_file.sources],
        dict(settings.variables),
        {name: dict(values) for name, values in settings.environment.items()},
        [asdict(command) for command in (*settings.migrate, *settings.seed)],
        sorted(service.name for service in plan.services),
        _written(resolved),
        resolved.engine.snapshots.inputs(plan, say),
        [list(_tree(path)) for path in sorted(_paths(resolved))],
    )


def _written(resolved: ResolvedStack) -> dict[str, list[object]]:
    """Environment and granted files of each service as its stack file, `.env` and env files say.

    The name of the copy may stand in them, and is no part of the data.
    """
    own = resolved.plan.project
    written = resolved.stack_file.services
    return {
        service.name: [
            {key: value.replace(own, "") for key, value in one.environment.items()},
            {mount.target: (mount.content or "").replace(own, "") for mount in service.granted},
        ]
        for service in resolved.plan.services
        if (one := written.get(service.name)) is not None
    }


def _paths(resolved: ResolvedStack) -> Iterator[Path]:
    """The projects that run natively, and all that is mounted of this machine."""
    found: set[Path] = set()
    for service in resolved.plan.services:
        if service.runtime is not None and service.runtime.project is not None:
            found |= {service.runtime.project, *service.runtime.files}
            found |= set(service.runtime.source_roots)
        read = [
            mount for mount in service.outside if mount.kind == "bind" and mount.action != "fresh"
        ]
        found |= {Path(mount.source) for mount in read}
        found |= set(service.mounts.values())
    return (path for path in found if path.exists())


def _tree(root: Path) -> Iterator[tuple[str, str]]:
    if root.is_file():
        yield root.name, digest(root)
        return
    for folder, names, files in os.walk(root):
        names[:] = sorted(set(names) - IGNORED)
        below = folder[len(str(root)) :].lstrip(os.sep)
        for name in sorted(files):
            path = os.path.join(folder, name)  # noqa: PTH118 - a Path a file takes longer
            if os.path.isfile(path):  # noqa: PTH113 - as above
                yield os.path.join(below, name), digest(path)  # noqa: PTH118 - as above
