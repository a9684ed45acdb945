"""Probes of files: those of the machine, of its programs and of the stack's owner.

Source: pivot_root(2), chroot(2), proc(5).
"""

from __future__ import annotations

import contextlib
import os
from functools import partial

from stackproof.engines.process.receipt.attempts import (
    Attempt,
    RefusedError,
    UntestableError,
    Ways,
)
from stackproof.engines.process.receipt.targets import Targets

DEEPEST = 64
"""Folders that a way up leads through at the most."""


def outside(targets: Targets) -> Ways:
    """A file of the machine that is not in the service's root."""
    for path in (targets.file, f"/proc/1/root{targets.file}"):
        yield Attempt(f"write {path}", partial(_write, path))
    yield Attempt(f"leave the root by chroot, write {targets.file}", partial(_climb, targets.file))


def _write(path: str) -> str:
    handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(handle, b"x")
    finally:
        os.close(handle)
    return "it was written"


def _climb(path: str) -> str:
    """Go up from a folder that a narrower root has left behind; only a real root ends the way."""
    start = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.chroot("/usr")
        os.fchdir(start)
        os.chroot("/".join([".."] * DEEPEST))
        return _write(path)
    finally:
        os.fchdir(start)
        with contextlib.suppress(OSError):
            os.chroot(".")  # what is tried next must see the service's root
        os.close(start)


def programs(targets: Targets) -> Ways:
    """The machine's programs."""
    yield Attempt("make a folder in /usr", partial(_make_folder, f"/usr/{targets.new_name}"))


def _make_folder(path: str) -> str:
    os.mkdir(path)
    os.rmdir(path)
    return "it was made, and removed"


def keys(targets: Targets) -> Ways:
    """The owner's keys, at the owner's path and in the service's own home."""
    if not targets.keys:
        yield Attempt("read the owner's ~/.ssh", _no_home)
        return
    kept = targets.keys.endswith("/.ssh")
    own = f"{targets.home}/.ssh" if kept else targets.home
    for path in dict.fromkeys((targets.keys, own if targets.home else targets.keys)):
        yield Attempt(f"list {path}", partial(_list, path, targets.identity))


def _no_home() -> str:
    raise UntestableError("the owner has no home")


def _list(path: str, identity: tuple[int, int]) -> str:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        about = os.fstat(handle)
        if (about.st_dev, about.st_ino) != identity:
            raise RefusedError("it is another folder of that name")
        return f"it is the owner's; {len(os.listdir(handle))} names were read"
    finally:
        os.close(handle)
