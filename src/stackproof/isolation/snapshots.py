"""The data of stacks after migrate and seed, kept by content, so that copies start from them."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from stackproof.engines.base import Engine, Say
from stackproof.engines.cache import (
    forget_lock,
    is_there,
    locked,
    locked_if_free,
    make_whole,
    server_cache,
)
from stackproof.errors import StackproofError
from stackproof.isolation.snapshot_key import snapshot_key
from stackproof.reaper.overlays import is_held
from stackproof.reaper.ownership import read_file
from stackproof.stack.resolved import ENGINES, ResolvedStack

ABOUT = "about.json"

ASIDE = ".aside-"
"""How the name of a damaged snapshot begins that stacks still have their data from."""

KEPT = 32
"""Snapshots that stay; the least recently used ones go first."""

KEPT_BYTES = 4 << 30
"""What they may take together; the last one stays whatever it takes."""

TRIES = 3

TICK = 0.001
"""Seconds by which the last use of a snapshot is later than that of another, at the least."""

Engines = Callable[[str], Engine]
"""Gives the engine of a name."""

Fill = Callable[[Path, Path], int]
"""Puts a snapshot's data into an empty folder, told where that will be; gives their size."""


class Publish(Protocol):
    """Keeps the data of a stack as a snapshot, complete or not at all."""

    def __call__(self, fill: Fill, *, intend: Callable[[Path], None] | None) -> None:
        """Keep what `fill` puts into a folder that `intend` is told of before."""


Make = Callable[[Publish], None]
"""Starts a stack, migrates and seeds it, has its data published, and takes it down."""


@dataclass(frozen=True)
class Snapshot:
    """One snapshot.

    Attributes:
        path: Its folder.
        engine: Name of the engine that can start from it.
        size: Bytes that its data take.
        used: When it was last used, in seconds since the epoch.
    """

    path: Path
    engine: str
    size: int
    used: float


def folder_of(resolved: ResolvedStack, say: Say) -> Path:
    """Where the snapshot of a stack is, or would be."""
    root = snapshots_root(resolved.settings.cache)
    return root / f"{resolved.plan.stack}-{snapshot_key(resolved, say)}"


def snapshots_root(cache: Path) -> Path:
    """The folder of all snapshots in a cache."""
    return server_cache(cache) / "snapshots"


@contextmanager
def held(resolved: ResolvedStack, make: Make, say: Say) -> Iterator[Path]:
    """The folder of a snapshot, which nobody removes meanwhile; made first if there is none.

    Two that need the same one at the same time make it once. One that was damaged is made again.

    Args:
        resolved: The stack.
        make: Makes it.
        say: Takes lines of progress.
    """
    entry, engine, fault = folder_of(resolved, say), resolved.engine, ""
    for _ in range(TRIES):
        with locked(entry, shared=True):
            if not _fault(entry, engine):
                _note_use(entry)
                yield entry
                return
        with locked(entry):
            fault = _fault(entry, engine)
            if fault and entry.is_dir():
                say(f"note: recreating the damaged snapshot {entry.name}: {fault}")
                _discard(entry, engine)
            if fault:
                make(partial(_publish, entry, engine))
        _drop_oldest(entry, resolved)
    raise StackproofError(
        f"the snapshot {entry.name} was unusable after {TRIES} attempts",
        observed=fault,
        remedy="check whether a clean-up of images or of the cache removes it",
    )


def _fault(entry: Path, engine: Engine) -> str:
    if not is_there(entry) or _read(entry) is None:
        return f"{ABOUT} can't be read"
    return engine.snapshots.fault(entry)


def _publish(
    entry: Path, engine: Engine, fill: Fill, *, intend: Callable[[Path], None] | None
) -> None:
    def build(draft: Path) -> None:
        about = {"engine": engine.name, "size": fill(draft, entry)}
        (draft / ABOUT).write_text(json.dumps(about), encoding="utf-8")

    make_whole(entry, build, intend=intend)


def _read(entry: Path) -> Snapshot | None:
    try:
        about = json.loads(read_file(str(entry), ABOUT))
        used = entry.stat().st_mtime
        return Snapshot(entry, str(about["engine"]), int(about["size"]), used)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _known(entry: Path) -> Snapshot:
    """A snapshot, or what can be said of a folder that is none that can be used."""
    try:
        return _read(entry) or Snapshot(entry, "", 0, entry.stat().st_mtime)
    except FileNotFoundError:  # somebody has just removed it
        return Snapshot(entry, "", 0, 0.0)


def listed(cache: Path) -> list[Snapshot]:
    """All snapshots, the most recently used one first."""
    found = [_read(path) for path in _entries(snapshots_root(cache))]
    return sorted(
        (snapshot for snapshot in found if snapshot),
        key=lambda snapshot: snapshot.used,
        reverse=True,
    )


def clear(cache: Path, engines: Engines) -> tuple[int, list[str]]:
    """Remove all snapshots of all engines, and what is left of lost ones.

    Args:
        cache: The cache.
        engines: Gives the engine of a name.

    Returns:
        How many were removed, and why others were not.
    """
    root, done, problems = snapshots_root(cache), 0, list[str]()
    _drop_aside(root)
    wanted = {path: _known(path).engine for path in _entries(root)}
    for name in ENGINES:
        try:
            outside = engines(name).snapshots.entries()
        except StackproofError:
            continue  # where it is needed, that is said below
        mine = (Path(path) for path in outside if Path(path).parent == root)
        wanted.update({path: name for path in mine if path not in wanted})
    for path, engine in wanted.items():
        try:
            with locked(path):
                if is_held(str(path)):
                    problems.append(f"{path.name}: stacks that are up have their data from it")
                    continue
                problems += _remove(path, engines(engine) if engine else None)
            done += 1
        except StackproofError as error:
            problems.append(f"{path.name}: {error}")
    return done, problems


def _entries(root: Path) -> list[Path]:
    if not is_there(root):
        return []
    return [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _note_use(entry: Path) -> None:
    """Let an entry be the most recently used one, whatever the clock was set to meanwhile."""
    others = [_known(path).used for path in _entries(entry.parent) if path != entry]
    used = max(time.time(), *(other + TICK for other in others), 0.0)
    os.utime(entry, (used, used))


def _drop_oldest(newest: Path, resolved: ResolvedStack) -> None:
    """Keep the bounds; what is being used, or can't be removed now, waits for the next time."""
    taken = 0
    _note_use(newest)
    _drop_aside(newest.parent)
    found = sorted(
        map(_known, _entries(newest.parent)), key=lambda snapshot: snapshot.used, reverse=True
    )
    for number, snapshot in enumerate(found):
        taken += snapshot.size
        if snapshot.path == newest or (number < KEPT and taken <= KEPT_BYTES):
            continue
        with locked_if_free(snapshot.path) as is_free:
            if is_free and not is_held(str(snapshot.path)):
                with suppress(StackproofError):
                    _remove(
                        snapshot.path,
                        resolved.engine_of(snapshot.engine) if snapshot.engine else None,
                    )


def _remove(entry: Path, engine: Engine | None) -> list[str]:
    """Remove a snapshot whose lock is held, and the lock; tells what could not be."""
    used = _discard(entry, engine)
    forget_lock(entry)
    return used


def _discard(entry: Path, engine: Engine | None) -> list[str]:
    is_there(entry)  # never somebody else's
    used = engine.snapshots.drop(entry) if engine is not None else []
    if is_held(str(entry)):  # what an overlay shows must stay, wherever it is
        entry.rename(entry.with_name(f"{ASIDE}{entry.name}-{secrets.token_hex(4)}"))
    else:
        shutil.rmtree(entry, ignore_errors=True)
    return used


def _drop_aside(root: Path) -> None:
    """Remove damaged snapshots that no stack has its data from any more."""
    for entry in root.glob(f"{ASIDE}*"):
        if is_there(entry) and not is_held(str(entry)):
            shutil.rmtree(entry, ignore_errors=True)
