"""The files that a call refers to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from memory.prompts import SourceFile
from memory.refusals import ToolFailedError


def read_files(root: Path, paths: Iterable[str]) -> list[SourceFile]:
    """Read files and folders, in the order of their names.

    Args:
        root: Folder that all of them must lie in.
        paths: Paths of files or folders, relative to the root or absolute.

    Raises:
        ToolFailedError: If one is not there, lies elsewhere, or is not text.
    """
    found: dict[str, SourceFile] = {}
    for path in paths:
        for file in _below(root, path):
            found.setdefault(file.path, file)
    return list(found.values())


def _below(root: Path, given: str) -> list[SourceFile]:
    if "\0" in given:
        raise ToolFailedError("FILE_NOT_FOUND", f"no file can be called {given!r}")
    path = (root / given).resolve()
    if not path.is_relative_to(root.resolve()):
        raise ToolFailedError("FILE_FORBIDDEN", f"{given} is outside the project's folder")
    if not path.exists():
        raise ToolFailedError("FILE_NOT_FOUND", f"there is no file {given}")
    files = sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]
    return [_read(root.resolve(), file) for file in files]


def _read(root: Path, path: Path) -> SourceFile:
    name = path.relative_to(root).as_posix()
    try:
        content = path.read_bytes()
        text = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ToolFailedError("FILE_UNREADABLE", f"{name} can't be read: {error}") from error
    return SourceFile(name, text, hashlib.sha256(content).hexdigest())
