"""Says in one sentence why a file or folder can't be used: a full disk, no permission, a limit."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stackproof.errors import StorageFailed

_ELSEWHERE = (
    "or choose other folders: STACKPROOF_STATE_DIR (what runs), STACKPROOF_CACHE_DIR (what is "
    "prepared), STACKPROOF_ARTIFACTS (reports)"
)
_FREE = f"free some space there, {_ELSEWHERE}"
_ALLOW = f"make it yours and writable, {_ELSEWHERE}"
_CORRECT = (
    "correct the path where it is set: STACKPROOF_STATE_DIR, STACKPROOF_CACHE_DIR, "
    "STACKPROOF_ARTIFACTS, HOME, the stack config or the stack file"
)
_RAISE = "raise the limit (`ulimit`), and try again"

REASONS = {
    getattr(errno, name): (what, remedy)
    for remedy, reasons in {
        _FREE: {
            "ENOSPC": "no space left in {}",
            "EDQUOT": "the disk quota is used up in {}",
        },
        _ALLOW: {
            "EROFS": "the file system is read-only: {}",
            "EACCES": "permission denied: {}",
            "EPERM": "operation not permitted: {}",
        },
        _CORRECT: {
            "ENOTDIR": "a part of the path is a file, not a folder: {}",
            "EEXIST": "a file stands where a folder should be made: {}",
            "EISDIR": "a folder stands where a file should: {}",
            "ELOOP": "symbolic links lead in a circle: {}",
            "ENAMETOOLONG": "the path is too long: {}",
        },
        _RAISE: {
            "EFBIG": "a file became larger than this process may write: {}",
            "EMFILE": "this process may not open more files: {}",
            "ENFILE": "this machine can't open more files: {}",
        },
        "look at the system's log, `dmesg`": {"EIO": "the disk fails: {}"},
    }.items()
    for name, what in reasons.items()
}
"""What can be the matter with a machine, not with stackproof, and what to do."""

_NO_TEMPORARY = "No usable temporary directory"
"""How `tempfile` begins to say that it could write to no folder."""

FULL = 64 * 1024
"""Free bytes with which a file system counts as full."""

LONGEST_SHOWN = 200


@contextmanager
def storage_errors() -> Iterator[None]:
    """Raise `StorageFailed` for what a full disk, a permission or a limit causes."""
    try:
        yield
    except OSError as error:
        failure = storage_failure(error)
        if failure is None:
            raise
        raise failure from error


def storage_failure(error: OSError) -> StorageFailed | None:
    """The sentence for an error of the system; None where it says nothing about the machine."""
    if error.errno == errno.ENOENT and _NO_TEMPORARY in str(error.strerror):
        return StorageFailed(
            "no folder for temporary files can be written to", observed=str(error.strerror),
            remedy="free some space there, set TMPDIR to a folder that can be written to, or raise "
            "the limit of file sizes (`ulimit -f`)",
        )  # fmt: skip
    if error.errno not in REASONS:
        return None
    what, remedy = REASONS[error.errno]
    named = error.filename if error.filename2 is None else error.filename2
    place = os.fsdecode(named) if isinstance(named, str | bytes | os.PathLike) else ""
    if not place and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        place = ", ".join(_full_folders()) or "a folder that stackproof writes to"
    shown = ascii(place)[1:-1] if not place.isprintable() else place
    shown = f"{shown[:LONGEST_SHOWN]}…" if len(shown) > LONGEST_SHOWN else shown
    said = what.format(shown) if shown else what.removesuffix(": {}")
    return StorageFailed(said, observed=str(error.strerror), remedy=remedy)


def _full_folders() -> Iterator[str]:
    """Folders that stackproof writes to, where nothing fits any more."""
    chosen = ("STACKPROOF_STATE_DIR", "STACKPROOF_CACHE_DIR", "STACKPROOF_ARTIFACTS",
              "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "HOME")  # fmt: skip
    folders = [*filter(None, map(os.environ.get, chosen)), os.curdir]
    with suppress(OSError):  # it has an answer only where it can write
        folders.append(tempfile.gettempdir())
    for folder in dict.fromkeys(folders):
        try:
            found = os.statvfs(folder)
        except OSError:
            continue
        if found.f_bavail * found.f_frsize < FULL or (found.f_files and not found.f_favail):
            yield str(Path(folder).absolute())
