"""Copies of folders and files at their own or other paths, seen only in a run's mount namespace.

An ordinary user may mount only before the supervisor's program begins, so the reaper's child does
it. What is written goes to the run folder: overlayfs for a folder, a copied file for a single one.
Source: overlayfs in the kernel's documentation (`userxattr`), mount(2).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil

from stackproof.reaper import kernel, namespace

_UNSAFE = set(',:\\"')
"""Characters that have a meaning in the options of overlayfs."""


class Overlays:
    """The copies of one run.

    Args:
        order: What the owner sent: `copies`, each with `source`, `upper` (where what is written
            goes), `work` (a folder for overlayfs), `seed` (what was written by an earlier run, or
            empty) and `at` (where the copy lies; missing: over its source); `holes`, paths below a
            source that stay as they are; and `held`, a folder that has the sources of the copies
            which lie elsewhere, and which nobody removes while the reaper lives.
        private: Whether a mount namespace is wanted at all.
    """

    def __init__(self, order: object, *, private: bool) -> None:
        given = order if isinstance(order, dict) else {}
        self.copies: list[dict[str, str]] = sorted(
            given.get("copies", []), key=lambda copy_: str(copy_["source"])
        )
        self.holes: list[str] = [str(path) for path in given.get("holes", [])]
        self.private = private
        self.refused: dict[str, str] = {}
        self._unheld = _hold(str(given.get("held", "")))
        self._reading, self._writing = os.pipe()

    def mount(self) -> None:
        """Make the copies; called in the child, as PID 1 of its own namespaces, or not at all."""
        refused = {}
        if self.private and os.getpid() == 1:
            there = [path for path in self.holes if os.path.exists(path)]
            holes = [(path, os.open(path, os.O_PATH)) for path in there]
            for copy_ in self.copies:
                why = (self._unheld if "at" in copy_ else "") or _copy(copy_)
                if why:
                    refused[copy_["source"]] = why
            for path, handle in holes:
                _uncover(path, handle)
        else:
            why = "that takes a mount namespace, which there is none of here"
            refused = {copy_["source"]: why for copy_ in self.copies}
        os.write(self._writing, json.dumps(refused).encode() + b"\n")
        os.close(self._writing)
        os.close(self._reading)

    def wait(self) -> None:
        """Take what the child says could not be copied, in `refused`; called in the parent."""
        os.close(self._writing)
        with os.fdopen(self._reading, encoding="utf-8") as answers:
            line = answers.readline()
        self.refused = json.loads(line) if line else {copy_["source"]: "" for copy_ in self.copies}


def _hold(folder: str) -> str:
    """Lock a folder for as long as this process lives, see `is_held`; gives why it can't be done.

    Its child has the lock until it becomes another program.
    """
    try:
        if folder:
            fcntl.flock(
                os.open(folder, os.O_RDONLY | os.O_DIRECTORY), fcntl.LOCK_SH | fcntl.LOCK_NB
            )
    except OSError as error:
        return f"{folder} can't be locked: {error.strerror}"
    return ""


def is_held(folder: str) -> bool:
    """Whether the reaper of a run that has copies of a folder's content holds that folder."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False  # it is gone
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # it can't be locked here, so nobody has
    finally:
        os.close(handle)
    return False


def _copy(copy_: dict[str, str]) -> str:
    """Mount one copy over its source, or elsewhere; gives why it can't be done."""
    source, upper = copy_["source"], copy_["upper"]
    at = copy_.get("at", source)
    try:
        about = os.stat(source)
        _make_parents(upper)
        if os.path.isfile(source):
            shutil.copy2(copy_["seed"] or source, upper)
            _same_owner(about, upper)
            kernel.mount(upper, source, None, kernel.MS_BIND)
            return ""
        if _UNSAFE & set(source + upper):  # nothing of `at` stands in the options
            return "overlayfs can't take a path with a comma, colon, quote or backslash"
        if os.path.realpath(upper).startswith(os.path.realpath(source).rstrip("/") + "/"):
            return "the folder of the run is inside it; STACKPROOF_STATE_DIR names another one"
        if copy_["seed"]:
            _spawn(["cp", "-a", copy_["seed"], upper])
        else:
            os.mkdir(upper)
            os.chmod(upper, about.st_mode & 0o7777)
            _same_owner(about, upper)
        os.makedirs(copy_["work"])
        layers = f"userxattr,lowerdir={source},upperdir={upper},workdir={copy_['work']}"
        if at == source:
            kernel.mount("overlay", at, "overlay", kernel.MS_NODEV, layers)
        else:
            _mount_elsewhere(at, layers)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _mount_elsewhere(at: str, layers: str) -> None:
    """Mount an overlay that goes with its run: nothing waits for the disk."""
    _make_passable(os.path.dirname(at))
    os.mkdir(at)
    try:
        kernel.mount("overlay", at, "overlay", kernel.MS_NODEV, f"volatile,{layers}")
    except OSError:
        os.rmdir(at)
        raise


def unmount_below(folder: str) -> None:
    """Take away what is mounted in a folder, so that the folder can be removed from inside."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            namespace.unmount(os.path.join(folder, name))


def _make_parents(upper: str) -> None:
    """Make the folder of copies and that of data, which the user of a server passes through."""
    copies = os.path.dirname(upper)
    for folder in (os.path.dirname(copies), copies):
        _make_passable(folder)


def _make_passable(folder: str) -> None:
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
        kernel.mount(f"/proc/self/fd/{handle}", path, None, kernel.MS_BIND | kernel.MS_REC)
    finally:
        os.close(handle)
