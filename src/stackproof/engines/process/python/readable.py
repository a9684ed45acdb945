"""Lets every user read a virtualenv, for services that run as another user than its maker."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from stackproof.engines.cache import locked

READABLE = "readable"
"""File of a virtualenv that says so."""


def make_readable(virtualenv: Path) -> None:
    """Let every user read a virtualenv; done once.

    uv links to files of its own cache, which another umask may have closed: those are copied, since
    the cache is not the run's.

    Args:
        virtualenv: Its folder.
    """
    if (virtualenv / READABLE).exists():
        return
    with locked(virtualenv):
        for parent, folders, files in os.walk(virtualenv):
            for name in (*folders, *files):
                _open(Path(parent, name))
        virtualenv.chmod(0o755)
        (virtualenv / READABLE).touch()


def _open(path: Path) -> None:
    about = path.lstat()
    wanted = about.st_mode | (0o055 if about.st_mode & 0o100 else 0o044)
    if stat.S_ISLNK(about.st_mode) or wanted == about.st_mode:
        return
    if stat.S_ISREG(about.st_mode) and about.st_nlink > 1:
        copy = path.with_name(f".{path.name}.open")
        shutil.copy2(path, copy)
        copy.replace(path)
    path.chmod(stat.S_IMODE(wanted))
