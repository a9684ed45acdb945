"""A cache of folders that several processes use at once: each is made once, and never seen half."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from stackproof.engines.lock_holder import take
from stackproof.errors import Refused
from stackproof.reaper import ownership
from stackproof.reaper.ownership import NotOurs
from stackproof.reaper.removal import CACHE_TAG

SYSTEM_CACHE = Path("/var/cache/stackproof")
DRAFT = ".new-"
"""How the name of an entry begins that is being made."""

_TAG = b"""Signature: 8a477f597d28d172789f06886806bc55
# This file is a cache directory tag created by stackproof.
# For information about cache directory tags, see https://bford.info/cachedir/
"""


def content_key(*parts: object) -> str:
    """A short digest of values, for the name of a cache entry."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


@contextmanager
def _refused(folder: Path) -> Iterator[None]:
    """Raise the error for what is not this user's: it is neither used nor removed."""
    try:
        yield
    except NotOurs as error:
        raise Refused(
            f"the cache {folder} is not safe to use",
            observed=str(error),
            remedy="set STACKPROOF_CACHE_DIR to a folder that only you can write to; a cache is "
            "not shared between users, since they would run each other's programs",
        ) from None


def ensure_shelf(folder: Path) -> None:
    """Make a folder of cache entries, marked as such (bford.info/cachedir).

    Raises:
        Refused: If somebody else could have made it, or what is in it.
    """
    with _refused(folder):
        handle = ownership.open_folder(str(folder.absolute()), make=True)
        try:
            ownership.create_in(handle, CACHE_TAG, _TAG)
        except FileExistsError:
            pass
        finally:
            os.close(handle)


def is_there(path: Path) -> bool:
    """Whether there is a cache entry, looked at before anything in it is used.

    Raises:
        Refused: If somebody else could have made it.
    """
    with _refused(path.parent):
        try:
            with ownership.opened(str(path.absolute())):
                return True
        except (FileNotFoundError, NotADirectoryError):
            return False


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock of a cache entry; it ends with its holder, however that ends.

    Args:
        path: The entry; the lock is a file beside it.
        shared: Let others hold it as well who want it shared; whoever wants it alone waits.

    Raises:
        StackBusy: If its holder is stopped.
    """
    ensure_shelf(path.parent)
    lock = _lock_of(path)
    while True:
        with _opened_lock(path) as file:
            take(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, path)
            if _is_that_file(lock, file):
                yield
                return


@contextmanager
def locked_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock of a cache entry alone, unless somebody has it: then False is given."""
    with _opened_lock(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield _is_that_file(_lock_of(path), file)


def forget_lock(path: Path) -> None:
    """Remove the lock's file of an entry that is gone; only its holder may do so."""
    _lock_of(path).unlink(missing_ok=True)


def _lock_of(path: Path) -> Path:
    return path.with_name(f".lock-{path.name}")


def _opened_lock(path: Path) -> IO[str]:
    """The lock's file; nobody else may open it, since whoever can do so can hold the lock."""
    shelf = str(path.parent.absolute())
    with _refused(path.parent), ownership.opened(shelf) as handle:
        return os.fdopen(ownership.open_shared(handle, _lock_of(path).name, shelf), "w")


def _is_that_file(path: Path, file: IO[str]) -> bool:
    """Whether a lock that was waited for is still the entry's: its last holder may have removed it.

    Another one may hold the lock of a new file then.
    """
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def cached_folder(path: Path, build: Callable[[Path], None]) -> Path:
    """The folder of a cache entry; made now if it is not there.

    It is built under another name beside its place and renamed when it is complete. What a killed
    build has left is removed.

    Args:
        path: The entry.
        build: Fills a new, empty folder.
    """
    if is_there(path):
        return path
    with locked(path):
        if not is_there(path):  # else another process made it while we waited
            make_whole(path, build)
    return path


def make_whole(
    path: Path, build: Callable[[Path], None], *, intend: Callable[[Path], None] | None = None
) -> None:
    """Make a cache entry whose lock is held: complete, or not at all.

    Args:
        path: The entry, which does not exist.
        build: Fills a new, empty folder beside it.
        intend: Is told of that folder before it is made.
    """
    for left in path.parent.glob(f"{DRAFT}{path.name}-*"):
        shutil.rmtree(left, ignore_errors=True)
    draft = path.with_name(f"{DRAFT}{path.name}-{secrets.token_hex(4)}")
    if intend is not None:
        intend(draft)
    draft.mkdir(mode=0o700)
    try:
        build(draft)
        draft.rename(path)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def draft_entry(draft: Path) -> Path | None:
    """The entry that a draft was to become; None where its name is not that of a draft."""
    name, _, random = draft.name.removeprefix(DRAFT).rpartition("-")
    return draft.with_name(name) if name and re.fullmatch("[0-9a-f]{8}", random) else None


def reachable_by_others(path: Path) -> bool:
    """Whether a user with no special rights can get to a path: all its parents let others pass."""
    resolved = path.resolve()
    passed = (resolved, *resolved.parents)
    return all(folder.stat().st_mode & 0o001 for folder in passed if folder.exists())


def parts_of_cache(cache: Path) -> list[Path]:
    """The folders that may have entries of a cache; neither is made, looked into or refused here.

    Args:
        cache: The configured cache folder.
    """
    found = [cache.absolute()]
    if os.geteuid() == 0:
        with suppress(OSError):
            found += [] if reachable_by_others(cache) else [SYSTEM_CACHE]
    return found


def server_cache(cache: Path) -> Path:
    """The cache, or the system's where root's own can't be reached by the servers' user.

    Servers that refuse to run as root run as `nobody`, who may not pass through root's home.

    Args:
        cache: The configured cache folder.
    """
    if os.geteuid() != 0:
        return cache
    with _refused(cache), ownership.opened(str(cache.absolute()), make=True):
        pass
    return cache if reachable_by_others(cache) else SYSTEM_CACHE
