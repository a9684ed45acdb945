"""Copies and digests of a project's folder, without what tools have put there."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

LARGE = 8 << 20
"""Bytes of a file from which on its size and time stand for its content."""

_LEFT_OUT = frozenset({"__pycache__", "node_modules", "venv", "build", "dist"})


def tree_digest(folder: Path) -> str:
    """A digest of all files of a project."""
    digest = hashlib.sha256()
    for path in _files(folder):
        about = path.stat()
        digest.update(f"{path.relative_to(folder)}\0".encode(errors="surrogateescape"))
        if about.st_size >= LARGE:
            digest.update(f"{about.st_size} {about.st_mtime_ns}".encode())
        else:
            digest.update(path.read_bytes())
    return digest.hexdigest()


def copy_tree(folder: Path, target: Path) -> None:
    """Copy a project, so that building it writes nothing into its own folder.

    The history of git stays where it is and is linked to: some projects are versioned by it.
    """
    for path in _files(folder):
        copy = target / path.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    if (folder / ".git").exists():
        (target / ".git").symlink_to(folder / ".git")


def _files(folder: Path) -> Iterator[Path]:
    for where, names, files in os.walk(folder):
        names[:] = sorted(
            name
            for name in names
            if not name.startswith(".") and name not in _LEFT_OUT and not name.endswith(".egg-info")
        )
        yield from (path for name in sorted(files) if (path := Path(where, name)).is_file())
