"""The data of a stack after migrate and seed, kept by content, so that copies start from them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from stackproof.blueprint import Blueprint
from stackproof.errors import StackproofError
from stackproof.images.cache import cached_folder, content_key, locked, server_cache

FORMAT = 1
"""Part of every key; changes when snapshots are taken in another way."""

KEPT = 8
"""Snapshots that stay; the least recently used one goes first."""

IGNORED = frozenset({"__pycache__", ".git", ".venv", ".nox", ".artifacts", "node_modules",
                     ".pytest_cache", ".mypy_cache", ".ruff_cache"})  # fmt: skip


@dataclass(frozen=True)
class Snapshot:
    """One snapshot on the disk.

    Attributes:
        name: Stack and key.
        size: Bytes.
        used: When it was last used, in seconds since the epoch.
    """

    name: str
    size: int
    used: float


def snapshot_key(blueprint: Blueprint) -> str:
    """What decides about the data after migrate and seed.

    The stack files, variables and environments, the commands, the kinds and versions of servers,
    and every file of the projects and of the start-up mounts of servers.
    """
    settings, plan = blueprint.settings, blueprint.plan
    runtimes = [one.runtime for one in plan.services if one.runtime is not None]
    servers = sorted(
        (one.image, one.version, str(one.bindir)) for one in runtimes if one.kind == "image"
    )
    trees = {one.project for one in runtimes if one.project is not None}
    mounts = {path for one in plan.services for path in one.mounts.values() if path.exists()}
    return content_key(
        FORMAT,
        [_digest(path) for path in blueprint.stack_file.sources],
        dict(settings.variables),
        {name: dict(values) for name, values in settings.environment.items()},
        [asdict(one) for one in (*settings.migrate, *settings.seed)],
        sorted(one.name for one in plan.services),
        servers,
        [list(_tree(path)) for path in sorted(trees | mounts)],
    )


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
    return hashlib.sha256(path.read_bytes()).hexdigest()


def folder_of(blueprint: Blueprint) -> Path:
    """Where the snapshot of a stack is, or would be."""
    root = _root(blueprint.settings.cache)
    return root / f"{blueprint.plan.stack}-{snapshot_key(blueprint)}"


def ensure(blueprint: Blueprint, fill: Callable[[Path], None]) -> Path:
    """The data of a snapshot; made now if there is none.

    Two that need the same one at the same time make it once.

    Args:
        blueprint: The stack.
        fill: Puts the data into a folder that does not exist yet.
    """
    folder = cached_folder(folder_of(blueprint), lambda draft: fill(draft / "data"))
    os.utime(folder)
    _drop_oldest(folder.parent)
    return folder / "data"


def start_from(data: Path, target: Path) -> None:
    """Copy a snapshot's data, which nobody removes meanwhile.

    Args:
        data: What `ensure` gave.
        target: Where to; must not exist.

    Raises:
        StackproofError: If they can't be copied.
    """
    with locked(data.parent):
        copy_data(data, target)


def start_beside(data: Path, target: Path, *, without: Collection[str]) -> None:
    """Copy the data of some services, which a run of this process keeps as they are.

    Args:
        data: The data folder of that run.
        target: Where to; must not exist.
        without: Services whose data are left out.

    Raises:
        StackproofError: If they can't be copied.
    """
    wanted = [path for path in data.iterdir() if path.name not in without]
    if wanted:
        target.mkdir()
    for path in wanted:
        copy_data(path, target / path.name)


def copy_data(source: Path, target: Path) -> None:
    """Copy a data folder, sharing blocks where the file system can.

    Args:
        source: The folder.
        target: Where to; must not exist.

    Raises:
        StackproofError: If it can't be copied.
    """
    flags = ("-ac",) if sys.platform == "darwin" else ("-a", "--reflink=auto")
    done = subprocess.run(
        ["cp", *flags, str(source), str(target)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise StackproofError(
            f"the data of a snapshot could not be copied to {target}",
            observed=done.stderr.strip(),
            remedy="`invoke snapshots --clear` removes all of them; they are made again",
        )


def listed(cache: Path) -> list[Snapshot]:
    """All snapshots, the most recently used one first."""
    found = [_snapshot(path) for path in _entries(_root(cache))]
    return sorted(found, key=lambda one: one.used, reverse=True)


def clear(cache: Path) -> int:
    """Remove all snapshots; tells how many there were."""
    entries = _entries(_root(cache))
    for path in entries:
        _remove(path)
    return len(entries)


def _root(cache: Path) -> Path:
    return server_cache(cache) / "snapshots"


def _entries(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _snapshot(path: Path) -> Snapshot:
    size = sum(one.lstat().st_blocks * 512 for one in path.rglob("*"))
    return Snapshot(path.name, size, path.stat().st_mtime)


def _drop_oldest(root: Path) -> None:
    entries = sorted(_entries(root), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in entries[KEPT:]:
        _remove(path)


def _remove(path: Path) -> None:
    with locked(path):
        shutil.rmtree(path, ignore_errors=True)
    path.with_name(f".lock-{path.name}").unlink(missing_ok=True)
