"""A cache of folders that several processes use at once: each is made once, and never seen half."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SYSTEM_CACHE = Path("/var/cache/stackproof")
_DRAFT = ".new-"


def content_key(*parts: object) -> str:
    """A short digest of values, for the name of a cache entry."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a cache entry; it ends with its holder, however that ends.

    Args:
        path: The entry; the lock is a file beside it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".lock-{path.name}").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def cached_folder(path: Path, build: Callable[[Path], None]) -> Path:
    """The folder of a cache entry; made now if it is not there.

    It is built under another name beside its place and renamed when it is complete. What a killed
    build has left is removed.

    Args:
        path: The entry.
        build: Fills a new, empty folder.
    """
    if path.is_dir():
        return path
    with locked(path):
        if path.is_dir():  # another process made it while we waited
            return path
        for left in path.parent.glob(f"{_DRAFT}{path.name}-*"):
            shutil.rmtree(left, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=f"{_DRAFT}{path.name}-", dir=path.parent))
        try:
            build(draft)
            draft.rename(path)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
    return path


def reachable_by_others(path: Path) -> bool:
    """Whether a user with no special rights can get to a path: all its parents let others pass."""
    resolved = path.resolve()
    return all(one.stat().st_mode & 0o001 for one in (resolved, *resolved.parents) if one.exists())


def server_cache(cache: Path) -> Path:
    """The cache, or the system's where root's own can't be reached by the servers' user.

    Servers that refuse to run as root run as `nobody`, who may not pass through root's home.

    Args:
        cache: The configured cache folder.
    """
    if os.geteuid() != 0:
        return cache
    cache.mkdir(parents=True, exist_ok=True)
    return cache if reachable_by_others(cache) else SYSTEM_CACHE
