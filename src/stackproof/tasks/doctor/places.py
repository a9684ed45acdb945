"""The folders and streams that every task uses: whether they are there and can be used."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from stackproof.lifecycle import StackRequest
from stackproof.reaper.leftovers import find_runs
from stackproof.reaper.run_folder import state_root, temporary_folder
from stackproof.tasks.doctor.finding import Finding
from stackproof.tasks.overview import cache_of

LEAST_DISK = 1 << 30
"""Bytes that must be free for data folders and logs."""


def home(request: StackRequest) -> Finding:
    """The home folder, where uv and others keep things."""
    given = request.environment.get("HOME", "")
    if given and Path(given).is_dir():
        return Finding("ok", "HOME", given)
    observed = f"{given} does not exist" if given else "is not set"
    return Finding("weaker", "HOME", observed, "set HOME to a folder of this user")


def state(request: StackRequest) -> Finding:
    """The folder of runs, and whether dead ones have left something in it."""
    root = state_root(request.environment)
    refused = _refusal(root)
    if refused:
        return Finding("missing", "runs", refused, _choose("STACKPROOF_STATE_DIR"))
    runs = find_runs(root)
    alive = sum(run.is_alive for run in runs)
    left = len(runs) - alive
    if left:
        return Finding("weaker", "runs", f"{left} left behind in {root}", "run `invoke clean`")
    return Finding("ok", "runs", f"{alive} running, kept in {root}")


def cache(request: StackRequest) -> Finding:
    """The folder of virtualenvs, prepared data folders and snapshots."""
    folder = cache_of(request)
    refused = _refusal(folder)
    if refused:
        return Finding("missing", "cache", refused, _choose("STACKPROOF_CACHE_DIR"))
    return Finding("ok", "cache", str(folder))


def project(request: StackRequest) -> Finding:
    """The project's folder, where artifacts are kept."""
    given = request.environment.get("STACKPROOF_ARTIFACTS")
    folder = Path(given).absolute() if given else request.root / ".artifacts"
    refused = _refusal(folder)
    if refused:
        return Finding("missing", "artifacts", refused, _choose("STACKPROOF_ARTIFACTS"))
    return Finding("ok", "artifacts", str(folder))


def umask(_request: StackRequest) -> Finding:
    """The modes of new files, which stackproof sets itself where others need them."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    current = next(line.split()[1] for line in status.splitlines() if line.startswith("Umask:"))
    return Finding("ok", "umask", current)


def disk(_request: StackRequest) -> Finding:
    """The room for data folders and logs."""
    folder = temporary_folder()
    free = shutil.disk_usage(folder).free
    text = f"{free / (1 << 30):.1f} GiB free in {folder}"
    if free < LEAST_DISK:
        return Finding("missing", "disk", text, "free some, or set TMPDIR to another disk")
    return Finding("ok", "disk", text)


def streams(_request: StackRequest) -> Finding:
    """The standard streams and their encoding."""
    encoding = getattr(sys.stdout, "encoding", None) or "none"
    if encoding.lower().replace("-", "") != "utf8":
        return Finding(
            "weaker",
            "streams",
            f"standard output has the encoding {encoding}: other letters are shown as \\xe9",
            "set PYTHONIOENCODING=utf-8, or a locale such as LC_ALL=C.UTF-8",
        )
    return Finding("ok", "streams", f"standard output has the encoding {encoding}")


LOOKS: tuple[Callable[[StackRequest], Finding], ...] = (
    home, state, cache, project, umask, disk, streams,
)  # fmt: skip


def _choose(variable: str) -> str:
    return f"set {variable} to a folder that this user can write to"


def _refusal(folder: Path) -> str:
    """Why nothing can be written to a folder, or to the one that it would be made in."""
    nearest = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not nearest.is_dir():
        return f"{nearest} is not a folder"
    try:
        with tempfile.TemporaryFile(dir=nearest) as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        return f"{nearest} can't be written to: {error.strerror}"
    return ""
