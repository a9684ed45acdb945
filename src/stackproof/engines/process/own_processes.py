"""Every process of one service: its tree, its control group, and what carries its marks."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path

from stackproof.engines.process.children import Child, Children
from stackproof.engines.process.limits import Group
from stackproof.engines.process.spec import ServiceSpec
from stackproof.reaper import sweep

ATTEMPTS = 400
ATTEMPT_PAUSE = 0.005
"""How long killed processes are waited for: 2 s; only one in the kernel's hands takes longer."""


class OwnProcesses:
    """The processes of one service.

    Args:
        spec: The service.
        group: Its control group.
        children: Reaps what ends.

    Attributes:
        main: The process that was started last; None before the first.
    """

    def __init__(self, spec: ServiceSpec, group: Group, children: Children) -> None:
        name = spec.env.get("STACKPROOF_SERVICE", spec.name)
        self._marks = (children.mark, f"STACKPROOF_SERVICE={name}")  # other runs have such services
        self.main: Child | None = None
        self._group = group
        self._children = children

    def find(self) -> list[sweep.ProcessId]:
        """All that there are now."""
        found = dict.fromkeys(sweep.marked(*self._marks))
        if self.main is not None:
            main = sweep.ProcessId.of(self.main.pid)
            found |= dict.fromkeys([*([main] if main else []), *sweep.descendants(self.main.pid)])
        for folder in self._group.folders:
            found |= dict.fromkeys(_members(folder))
        return list(found)

    async def end(self) -> None:
        """SIGKILL all of them, again and again until there is none."""
        for _ in range(ATTEMPTS):
            left = self.find()
            if not left:
                return
            sweep.kill_all(left)
            self._children.reap()
            await asyncio.sleep(ATTEMPT_PAUSE)

    async def signal(self, number: int) -> None:
        """Send all of them a signal; after SIGKILL, wait until they are gone."""
        processes = self.find()
        if number != signal.SIGKILL:
            for process in processes:
                process.kill(number)
            return
        sweep.kill_all(processes)
        for _ in range(ATTEMPTS):
            if not any(process.is_alive() for process in processes):
                return
            await asyncio.sleep(ATTEMPT_PAUSE)


def _members(folder: Path) -> list[sweep.ProcessId]:
    with contextlib.suppress(OSError, ValueError):
        listed = (folder / "cgroup.procs").read_text(encoding="ascii").split()
        found = [sweep.ProcessId.of(int(pid)) for pid in listed]
        return [process for process in found if process is not None]
    return []
