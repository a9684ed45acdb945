"""Removes what a run has made: for each kind of thing one way, which stands here and in no record.

Standard library only, since the reaper and the supervisor load this module.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import stat
import sys
import time
from collections.abc import Iterable, Mapping

from stackproof.reaper import ownership, record, sweep
from stackproof.reaper.sweep import ProcessId

LOOK_SECONDS = 0.5
"""How often it is looked whether a child that is waited for is stopped."""

REMOVALS = 60
"""How often a folder is removed that somebody still writes to: for about 6 s."""

CACHE_TAG = "CACHEDIR.TAG"
"""Marks the folders of a cache's entries; what has no such file beside it is not removed."""

DRAFT = re.compile(r"\.new-[A-Za-z0-9][A-Za-z0-9._-]*")
"""Name of a cache entry that is being made."""

_CONTROL_GROUP = r"/sys/fs/cgroup(?:/[A-Za-z0-9_,=-][A-Za-z0-9_.,=-]*)*/stackproof-{}(?:/[\w.-]+)*"


def remove_tree(path: str, folder: int | None = None) -> None:
    """Remove a folder or file; tries again for seconds, since a writer may just be ending.

    Such as the copying of a snapshot's data, which goes on for a moment when its parent is killed.
    No link is followed (see `shutil.rmtree.avoids_symlink_attacks`).

    Args:
        path: What.
        folder: Handle of the folder that the path is relative to.
    """
    for attempt in range(REMOVALS):
        if attempt:
            _unlock(path, folder)
        shutil.rmtree(path, ignore_errors=True, dir_fd=folder)
        with contextlib.suppress(OSError):
            os.unlink(path, dir_fd=folder)
        try:
            os.stat(path, dir_fd=folder, follow_symlinks=False)
        except OSError:
            return
        time.sleep(min(0.02 * (attempt + 1), 0.1))


def _unlock(path: str, folder: int | None) -> None:
    """Let this user into folders that nobody may enter; overlayfs leaves one behind."""
    with contextlib.suppress(OSError):
        for _, names, _, handle in os.fwalk(path, dir_fd=folder):
            for name in names:
                about = os.stat(name, dir_fd=handle, follow_symlinks=False)
                if stat.S_ISDIR(about.st_mode) and about.st_mode & 0o700 != 0o700:  # noqa: PLR2004
                    os.chmod(name, 0o700, dir_fd=handle)


def remove_empty_parents(folder: str) -> None:
    """Remove `runs` and the state root when the last run is gone."""
    runs = os.path.dirname(folder)
    for parent in (runs, os.path.dirname(runs)):
        with contextlib.suppress(OSError):
            os.rmdir(parent)


def draft_fault(path: str) -> str:
    """Why a path can't be that of a draft in a cache of this user's; empty where it can."""
    parent, name = os.path.split(path)
    if not path.startswith("/") or os.path.normpath(path) != path or not DRAFT.fullmatch(name):
        return "it is no draft of a cache entry"
    try:
        ownership.read_file(parent, CACHE_TAG)
    except OSError as error:
        return f"it is not in a cache of this user's ({error})"
    return ""


def remove_draft(path: str) -> str:
    """Remove a draft in a cache; tells why it is left where it is none."""
    fault = draft_fault(path)
    if fault:
        return f"{path} is left: {fault}"
    parent, name = os.path.split(path)
    with ownership.opened(parent) as handle:
        remove_tree(name, handle)
    return ""


def remove_unfinished(runs: str, draft: str) -> None:
    """Remove a run folder that could not be made complete, such as on a full disk.

    Args:
        runs: The folder of all runs.
        draft: Name of the folder that was begun in it.
    """
    with contextlib.suppress(OSError), ownership.opened(runs) as handle:
        remove_tree(draft, handle)
    remove_empty_parents(os.path.join(runs, draft))


def remove_files(folder: str, run_id: str, intended: Iterable[str]) -> str:
    """Remove control groups, drafts and the run folder of a run whose processes have ended.

    Args:
        folder: The run folder.
        run_id: Identity of the run.
        intended: Drafts in a cache.

    Returns:
        Why drafts are left; empty where none is.
    """
    remove_cgroups(folder, run_id)
    kept = "; ".join(filter(None, map(remove_draft, intended)))
    remove_tree(folder)
    remove_empty_parents(folder)
    return kept


def remove_abandoned(folder: str, run_id: str) -> None:
    """Do the work of a dead reaper: remove what the record names, and the run folder.

    Args:
        folder: The run folder.
        run_id: Identity of the run.
    """
    intended: tuple[str, ...] = ()
    with contextlib.suppress(OSError, record.BadRecordError):
        intended = record.Record(ownership.read_file(folder, record.NAME)).intended
    remove_files(folder, run_id, intended)


def remove_docker(
    host: str, project: str, run_id: str, root: str, environment: Mapping[str, str]
) -> str:
    """Remove what a run has in a Docker Engine, in a process of its own.

    Args:
        host: Where the Docker Engine listens.
        project: Name of the copy of the stack.
        run_id: Identity of the run.
        root: Its state folder, which its volumes are marked with.
        environment: The process's environment.

    Returns:
        What is left; empty where everything could be removed.
    """
    module = "stackproof.engines.compose"
    argv = [sys.executable, "-P", "-m", module, host, project, root, run_id]
    reading, writing = os.pipe()
    files: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        *((os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 2)),
        (os.POSIX_SPAWN_DUP2, writing, 1),
    ]
    child = os.posix_spawn(argv[0], argv, environment, file_actions=files)
    os.close(writing)
    said = _read_all(reading, child).strip()
    failed = os.waitpid(child, 0)[1] != 0
    return (said or f"`{' '.join(argv)}` failed") if failed else ""


def _read_all(reading: int, child: int) -> str:
    """What a child writes until it ends, which goes on whenever it is stopped."""
    said, process = b"", ProcessId.of(child)
    with os.fdopen(reading, "rb", buffering=0) as answers:
        while True:
            if not select.select([answers], [], [], LOOK_SECONDS)[0]:
                if process is not None and process.is_stopped():
                    process.kill(signal.SIGCONT)
                continue
            data = answers.read(65536)
            if not data:
                return said.decode(errors="replace")
            said += data


def remove_cgroups(folder: str, run_id: str) -> None:
    """End what is in the control groups that a run folder lists, and remove them, deepest first.

    Args:
        folder: The run folder.
        run_id: Identity of the run, which names its groups; others are left alone.
    """
    try:
        listed = ownership.read_file(folder, "cgroups").decode(errors="replace").splitlines()
    except OSError:
        return
    own = re.compile(_CONTROL_GROUP.format(re.escape(run_id)))
    paths = {line.strip() for line in listed if run_id and own.fullmatch(line.strip())}
    for path in sorted(paths, key=len, reverse=True):
        if "/.." not in path:
            _remove_cgroup(path)


def _remove_cgroup(path: str) -> None:
    for attempt in range(50):
        try:
            os.rmdir(path)
        except FileNotFoundError:
            return
        except OSError:
            _kill_cgroup(path)
            time.sleep(0.002 * attempt)
        else:
            return


def _kill_cgroup(path: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        with open(os.path.join(path, "cgroup.procs"), encoding="ascii") as file:
            found = [ProcessId.of(int(line)) for line in file]
        sweep.kill_all(process for process in found if process is not None)
