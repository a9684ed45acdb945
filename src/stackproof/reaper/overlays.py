"""Copies of folders and files at their own paths, seen only inside a run's mount namespace.

An ordinary user may mount only before the supervisor's program begins, so the reaper's child does
it. What is written goes to the run folder: overlayfs for a folder, a copied file for a single one.
Source: overlayfs in the kernel's documentation (`userxattr`), mount(2).
"""

from __future__ import annotations

import json
import os
import shutil

from stackproof.reaper import namespace

MS_BIND = 4096
_UNSAFE = set(',:\\"')
"""Characters that have a meaning in the options of overlayfs."""


class Overlays:
    """The copies of one run.

    Args:
        order: What the owner sent: `copies`, each with `source`, `upper` (where what is written
            goes), `work` (a folder for overlayfs) and `seed` (what was written by an earlier run,
            or empty); and `holes`, paths below a source that stay as they are.
        private: Whether a mount namespace is wanted at all.
    """

    def __init__(self, order: object, *, private: bool) -> None:
        given = order if isinstance(order, dict) else {}
        self.copies: list[dict[str, str]] = sorted(
            given.get("copies", []), key=lambda one: str(one["source"])
        )
        self.holes: list[str] = [str(one) for one in given.get("holes", [])]
        self.private = private
        self.refused: dict[str, str] = {}
        self._reading, self._writing = os.pipe()

    def mount(self) -> None:
        """Make the copies; called in the child, as PID 1 of its own namespaces, or not at all."""
        refused = {}
        if self.private and os.getpid() == 1:
            there = [path for path in self.holes if os.path.exists(path)]
            holes = [(path, os.open(path, os.O_PATH)) for path in there]
            for one in self.copies:
                why = _copy(one)
                if why:
                    refused[one["source"]] = why
            for path, handle in holes:
                _uncover(path, handle)
        else:
            why = "that takes a mount namespace, which there is none of here"
            refused = {one["source"]: why for one in self.copies}
        os.write(self._writing, json.dumps(refused).encode() + b"\n")
        os.close(self._writing)
        os.close(self._reading)

    def wait(self) -> None:
        """Take what the child says could not be copied, in `refused`; called in the parent."""
        os.close(self._writing)
        with os.fdopen(self._reading, encoding="utf-8") as answers:
            line = answers.readline()
        self.refused = json.loads(line) if line else {one["source"]: "" for one in self.copies}


def _copy(one: dict[str, str]) -> str:
    """Mount one copy over its source; gives why it can't be done."""
    source, upper = one["source"], one["upper"]
    try:
        about = os.stat(source)
        _make_parents(upper)
        if os.path.isfile(source):
            shutil.copy2(one["seed"] or source, upper)
            _same_owner(about, upper)
            namespace.mount(upper, source, "", MS_BIND, "")
            return ""
        if _UNSAFE & set(source + upper):
            return "overlayfs can't take a path with a comma, colon, quote or backslash"
        if os.path.realpath(upper).startswith(os.path.realpath(source).rstrip("/") + "/"):
            return "the folder of the run is inside it; STACKPROOF_STATE_DIR names another one"
        if one["seed"]:
            _spawn(["cp", "-a", one["seed"], upper])
        else:
            os.mkdir(upper)
            os.chmod(upper, about.st_mode & 0o7777)
            _same_owner(about, upper)
        os.makedirs(one["work"])
        layers = f"userxattr,lowerdir={source},upperdir={upper},workdir={one['work']}"
        namespace.mount("overlay", source, "overlay", namespace.MS_NODEV, layers)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _make_parents(upper: str) -> None:
    """Make the folder of copies and that of data, which the user of a server passes through."""
    copies = os.path.dirname(upper)
    for folder in (os.path.dirname(copies), copies):
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o711 if os.getuid() == 0 else 0o700)


def _same_owner(about: os.stat_result, path: str) -> None:
    if os.getuid() == 0:
        os.chown(path, about.st_uid, about.st_gid)


def _spawn(argv: list[str]) -> None:
    """Run a program to its end.

    Raises:
        OSError: If it fails.
    """
    child = os.posix_spawnp(argv[0], argv, {"PATH": os.defpath, "LANG": "C.UTF-8"})
    if os.waitpid(child, 0)[1] != 0:
        raise OSError(f"`{' '.join(argv)}` failed")


def _uncover(path: str, handle: int) -> None:
    try:
        namespace.mount(f"/proc/self/fd/{handle}", path, "", MS_BIND | namespace.MS_REC, "")
    finally:
        os.close(handle)
