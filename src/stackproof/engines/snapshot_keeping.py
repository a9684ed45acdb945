"""What an engine offers to those who keep the data of a stack for others to start from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from stackproof.plan.model import Plan
from stackproof.reaper.run_folder import RunFolder
from stackproof.stack_file.model import StackFile


class SnapshotKeeper(Protocol):
    """How an engine keeps the data of a stack after migrate and seed, for others to start from.

    Each snapshot has a folder, its entry, whose name is its stack and key; an engine may keep
    further things elsewhere.
    """

    def inputs(self, plan: Plan, say: Callable[[str], None]) -> list[str]:
        """What decides about the data and is the engine's own to know, such as image ids."""

    def foreign_data(self, stack_file: StackFile, services: Sequence[str]) -> list[str]:
        """Servers whose data no snapshot can hold, since they are not the copy's; in words."""

    def take(
        self, plan: Plan, run: RunFolder, draft: Path, entry: Path, say: Callable[[str], None]
    ) -> int:
        """Stop a running stack and keep its data.

        Args:
            plan: What runs.
            run: Its run folder.
            draft: An empty folder for what is kept as files.
            entry: Where that folder will be once it is complete.
            say: Takes lines of progress.

        Returns:
            Bytes that the data take.
        """

    def fault(self, entry: Path) -> str:
        """Why a snapshot can't be used; empty where it can."""

    def drop(self, entry: Path) -> list[str]:
        """Remove what a snapshot has outside its folder; tells what something still uses."""

    def entries(self) -> set[str]:
        """Folders of the snapshots that have something outside their folder."""
