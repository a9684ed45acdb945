"""Servers never run as root: the user they run as in its place, and folders that are its own."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

from stackproof.reaper.ownership import make_folders
from stackproof.reaper.run_folder import RunFolder

PASSABLE, PRIVATE = 0o711, 0o700

NO_GUARD = "" if sys.platform.startswith("linux") else "only Linux tells whose a connection is"
"""Why no port can be guarded here; empty where it can."""

EVERYBODY = "every user of this machine reaches its port"


def server_user() -> int | None:
    """The user that servers run as where root starts them: `nobody`; None for the caller's."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        return 65534


def private_folder(run: RunFolder, service: str, uid: int | None) -> Path:
    """A folder of a run that only a service's server can look into; made if it is not there.

    Args:
        run: The run.
        service: Name of the service.
        uid: The server's user; None for the caller's.
    """
    folder = run.server(service)
    make_folders(str(folder))
    folder.parent.chmod(PRIVATE if uid is None else PASSABLE)
    folder.chmod(PRIVATE)
    if uid is not None:
        os.chown(folder, uid, uid)
    return folder


def give(path: Path, uid: int | None) -> None:
    """Let a server's user own a file or a whole folder; links are not followed.

    Args:
        path: The file or folder.
        uid: The user; None where it is the caller's, who owns it already.
    """
    if uid is None:
        return
    for entry in (path, *path.rglob("*")):
        if entry.lstat().st_uid != uid:
            os.chown(entry, uid, uid, follow_symlinks=False)


def write_private(path: Path, text: str, uid: int | None) -> None:
    """Write a file that only a server's user can read, in place of an older one.

    Args:
        path: The file, in a private folder.
        text: What it is to say.
        uid: The user; None for the caller's.
    """
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        if uid is not None:
            os.fchown(file.fileno(), uid, uid)
        file.write(text)
