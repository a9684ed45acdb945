"""Which modules can be imported ahead: tried in a process of its own, whose deeds are watched.

A module that reads a file which other rooms may have otherwise, starts a process or opens a
connection while it is imported is left out. Answers in JSON.
Source: the Python documentation, "Audit events table".
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

from stackproof.engines.process.fork_server.preloading import Preloaded, preload, thread_count
from stackproof.engines.process.fork_server.values import SET_BACK, sums
from stackproof.reaper import kernel

DEEDS = frozenset(
    {
        "subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn",
        "socket.connect", "socket.bind", "socket.getaddrinfo", "os.kill", "os.chdir",
    }
)  # fmt: skip
"""What no import may do, as audit events."""

OF_THE_MACHINE = (
    "/usr", "/lib", "/lib64", "/proc", "/sys", "/dev", "/etc/ssl", "/etc/localtime",
    "/etc/mime.types", "/etc/os-release", "/etc/timezone", "/etc/ld.so.cache",
)  # fmt: skip
"""Files that are the same in each room."""


LATER = 15
"""How much an examination stands back: what runs beside it is a person's tests."""

ELSE = 23456

_PR_SET_PDEATHSIG = 1


class Watch:
    """Notes what is done, as long as it is on."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.on = False
        own = {sys.prefix, sys.base_prefix, sys.exec_prefix}
        own |= {os.path.realpath(path) for path in own}
        self._usual = (*own, os.environ["TMPDIR"])  # where `tempfile` tries to write
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.on:
            return
        if event in DEEDS and not _asks_for_ipv6(event, arguments):
            self.seen.append(f"calls {event}")
        elif event == "open" and isinstance(arguments[0], str | bytes):
            path = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100 - links stay
            if not _is_below(path, (*self._usual, *OF_THE_MACHINE)):
                self.seen.append(f"opens {path}")


def _asks_for_ipv6(event: str, arguments: tuple[object, ...]) -> bool:
    """Whether a port of this machine is bound that nobody has chosen, as urllib3 does."""
    place = arguments[1] if event == "socket.bind" else None
    return isinstance(place, tuple) and place[:2] in {("::1", 0), ("127.0.0.1", 0)}


def _is_below(path: str, folders: Sequence[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def examine(modules: Sequence[str]) -> tuple[Preloaded, dict[str, list[str]]]:
    """Import modules, and give what that did, and what each has done that it should not.

    Args:
        modules: Their names.
    """
    watch, began = Watch(), time.time()
    deeds: dict[str, list[str]] = {}

    threads = 0

    def before() -> None:
        nonlocal threads
        threads = thread_count()
        watch.seen, watch.on = [], True

    def after(name: str) -> None:
        watch.on = False
        if thread_count() > threads:
            watch.seen.append("starts a thread")
        if watch.seen:
            deeds[name] = watch.seen

    done = preload(modules, before, after)
    for name in modules:
        if (
            name in sys.modules
            and name not in deeds
            and (held := _held(vars(sys.modules[name]), began))
        ):
            deeds[name] = [f"keeps {held}"]
    return done, deeds


def _held(values: Mapping[str, object], began: float) -> str:
    """What a module keeps of the process that has imported it, in words; empty if nothing."""
    folders = {str(Path.cwd()), os.environ["TMPDIR"]}
    set_back = SET_BACK.get(str(values.get("__name__")), frozenset())
    for name, value in list(values.items()):
        if name in set_back:
            continue
        if isinstance(value, str | os.PathLike) and os.fspath(value) in folders:
            return f"the folder {os.fspath(value)!r} in {name}"
        if type(value) is int and value == os.getpid():
            return f"the number of its process in {name}"
        if type(value) in {int, float} and began <= value <= time.time():  # type: ignore[operator]
            return f"the time of its start in {name}"
    return ""


def main() -> None:
    """Examine the modules that the input names; tells what they hold, if that is asked."""
    sys.path[:] = [path for path in sys.path if path not in {"", sys.argv[1]}]
    asked = json.load(sys.stdin)
    if asked["elsewhere"]:
        be_elsewhere()
    os.nice(LATER)
    with TemporaryDirectory(prefix="stackproof-preload-") as folder:
        _end_with_the_starter(folder)
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        os.chdir(folder)
        done, deeds = examine(asked["modules"])
        held = sums() if asked["sums"] else {}
        tempfile.tempdir = None
        os.chdir("/")
    read = {name: sorted(names) for name, names in done.read.items()}
    answer = {"read": read, "failed": done.failed, "faults": done.faults, "deeds": deeds}
    answer |= {"sums": held, "brought": done.brought}
    with os.fdopen(os.dup(1), "wb") as output:
        output.write(json.dumps(answer).encode())
    os._exit(0)  # at once: there may be threads


def _end_with_the_starter(folder: str) -> None:
    """Leave nothing when the process that has started this one ends first."""

    def end(*_: object) -> None:
        rmtree(folder, ignore_errors=True)
        os._exit(1)

    signal.signal(signal.SIGTERM, end)
    kernel.call("prctl", _PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def be_elsewhere() -> None:
    """Have another host name and another user's number, as far as this machine allows."""
    uid, gid = os.geteuid(), os.getegid()
    with suppress(OSError):
        kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWUTS)
        kernel.map_ids(os.getpid(), f"{uid + ELSE} {uid} 1", f"{gid + ELSE} {gid} 1")
        socket.sethostname("elsewhere")
