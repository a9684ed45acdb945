"""Limits of CPU, memory and processes by control groups, and a clear word where there are none.

Sources: cgroups(7); the kernel's "Control Group v2" and cgroup-v1 documentation.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stackproof.engines.process.spec import ServiceSpec

PERIOD = 100_000
"""Microseconds in which a service may use its share of CPU time (the kernel's default)."""

V1_FILES: dict[str, tuple[str, str]] = {
    "cpu": ("cpu", "cpu.cfs_quota_us"),
    "memory": ("memory", "memory.limit_in_bytes"),
    "pids": ("pids", "pids.max"),
}
V2_FILES = {"cpu": "cpu.max", "memory": "memory.max", "pids": "pids.max"}


@dataclass
class Group:
    """The control groups of one service.

    Attributes:
        folders: The folders that its processes are put into.
        events: File with the count of processes that were killed for want of memory.
        notices: Limits that could not be set, and why.
    """

    folders: list[Path]
    events: Path | None
    notices: list[str]

    def joiner(self) -> Callable[[], None] | None:
        """What a new process has to call to join; None if there is nothing to join."""
        return partial(join_groups, self.files()) if self.folders else None

    def files(self) -> tuple[str, ...]:
        """The files that a process writes itself to."""
        return tuple(str(folder / "cgroup.procs") for folder in self.folders)

    def oom_kills(self) -> int:
        """How many of its processes the kernel has killed for want of memory."""
        if self.events is None:
            return 0
        with contextlib.suppress(OSError, ValueError):
            for line in self.events.read_text(encoding="ascii").splitlines():
                name, _, value = line.partition(" ")
                if name == "oom_kill":
                    return int(value)
        return 0


def join_groups(files: Sequence[str]) -> None:
    """Put the calling process into control groups.

    Args:
        files: Those of `Group.files`.

    Raises:
        OSError: If the kernel refuses.
    """
    for file in files:
        handle = os.open(file, os.O_WRONLY)
        os.write(handle, b"0")  # 0 stands for the writing process
        os.close(handle)


class ControlGroups:
    """Makes the control groups of one run.

    Args:
        run_id: Names the groups.
        listing: File that each folder's path is written to before it is made, for the reaper.
        root: Where control groups are mounted.
    """

    def __init__(self, run_id: str, listing: Path, *, root: Path = Path("/sys/fs/cgroup")) -> None:
        self.name = f"stackproof-{run_id}"
        self.listing = listing
        self.root = root

    def make(self, spec: ServiceSpec) -> Group:
        """Make the groups of a service and set its limits."""
        group = Group([], None, [])
        wanted = {"cpu": spec.cpus, "memory": spec.memory, "pids": spec.pids}
        limits = {name: value for name, value in wanted.items() if value is not None}
        refused: dict[str, list[str]] = {}
        for name, value in limits.items():
            try:
                self._limit(group, spec.name, name, value)
            except OSError as error:
                refused.setdefault(error.strerror or str(error), []).append(name)
        group.notices += [
            f"no limit of {', '.join(names)} is enforced: control groups can't be written here "
            f"({why})"
            for why, names in refused.items()
        ]
        return group

    def _limit(self, group: Group, service: str, name: str, value: float) -> None:
        if (self.root / "cgroup.controllers").exists():
            self._limit_v2(group, service, name, value)
        else:
            self._limit_v1(group, service, name, value)

    def _limit_v1(self, group: Group, service: str, name: str, value: float) -> None:
        controller, file = V1_FILES[name]
        folder = self._folder(self.root / controller / self.name, service)
        text = str(int(value * PERIOD)) if name == "cpu" else str(int(value))
        (folder / file).write_text(text, encoding="ascii")
        group.folders.append(folder)
        if name == "memory":
            group.events = folder / "memory.oom_control"

    def _limit_v2(self, group: Group, service: str, name: str, value: float) -> None:
        parent = self.root / self.name
        self._note(parent)
        parent.mkdir(exist_ok=True)
        control = parent / "cgroup.subtree_control"
        control.write_text(f"+{name}", encoding="ascii")
        folder = self._folder(parent, service)
        text = f"{int(value * PERIOD)} {PERIOD}" if name == "cpu" else str(int(value))
        (folder / V2_FILES[name]).write_text(text, encoding="ascii")
        if folder not in group.folders:
            group.folders.append(folder)
        if name == "memory":
            group.events = folder / "memory.events"

    def _folder(self, parent: Path, service: str) -> Path:
        folder = parent / service
        self._note(parent)
        self._note(folder)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _note(self, folder: Path) -> None:
        with self.listing.open("a", encoding="utf-8") as file:
            file.write(f"{folder}\n")
