"""What a maker that was killed has left in a cache: drafts, and entries that were never complete.

Whoever makes an entry holds its lock, which ends with him: an unfinished one whose lock is free has
nobody who would finish it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from stackproof.engines.cache import (
    DRAFT,
    draft_entry,
    forget_lock,
    locked_if_free,
    parts_of_cache,
)
from stackproof.reaper import ownership
from stackproof.reaper.removal import remove_tree

SHELVES = ("snapshots", "servers", "templates", "projects", "builds")
"""Folders of a cache whose entries are made under another name."""

IN_PLACE = "virtualenvs"
"""Folder of those that are made where they stay, and have a file in them when they are complete."""

COMPLETE = ".complete"


def sweep_cache(cache: Path) -> list[str]:
    """Remove what nobody will finish.

    Args:
        cache: The configured cache folder.

    Returns:
        What was removed, a line each.
    """
    found = []
    for path, entry in list(_unfinished(cache)):
        with suppress(OSError), locked_if_free(entry) as is_free:
            if not is_free or not path.exists() or (path == entry and (path / COMPLETE).exists()):
                continue  # somebody makes it, or has just done so
            remove_tree(str(path))
            if not entry.exists():
                forget_lock(entry)
            if not path.exists():
                found.append(f"removed {path}, which was being made by a process that was killed")
    return found


def _unfinished(cache: Path) -> Iterator[tuple[Path, Path]]:
    """Each unfinished thing, and the entry whose lock its maker holds."""
    for root in parts_of_cache(cache):
        for shelf in (root / name for name in (*SHELVES, IN_PLACE)):
            with suppress(OSError), ownership.opened(str(shelf)):  # never another user's
                if shelf.name == IN_PLACE:
                    yield from ((path, path) for path in shelf.iterdir() if _is_unmarked(path))
                else:
                    yield from _drafts(shelf)


def _drafts(shelf: Path) -> Iterator[tuple[Path, Path]]:
    for draft in shelf.glob(f"{DRAFT}*"):
        entry = draft_entry(draft)
        if entry is not None:
            yield draft, entry


def _is_unmarked(entry: Path) -> bool:
    is_entry = entry.is_dir() and not entry.name.startswith(".")
    return is_entry and not (entry / COMPLETE).exists()
