"""The engine of stacks that somebody else has started: it reaches them, and refuses the rest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from stackproof.engines.attached.running import AttachedPlan
from stackproof.engines.base import Lease, RunningPlan, Say, SnapshotKeeper
from stackproof.errors import NotAttached
from stackproof.plan.model import Plan
from stackproof.reaper.run_folder import RunFolder


class AttachedEngine:
    """Neither starts nor stops anything."""

    name = "attached"

    @property
    def snapshots(self) -> SnapshotKeeper:
        """Refuse: the data are somebody else's."""
        _refuse("take snapshots of")

    def no_copies(self) -> str:
        """Nothing is copied, since nothing is started."""
        return ""

    def open(
        self,
        run: RunFolder,
        plan: Plan | None = None,
        *,
        snapshot: Path | None = None,
        holes: tuple[Path, ...] = (),
    ) -> Lease:
        """Refuse to start a copy."""
        _refuse("start")

    def start(
        self,
        plan: Plan,
        run: RunFolder,
        say: Say,
        *,
        lent: Mapping[str, str] | None = None,
        snapshot: Path | None = None,
    ) -> RunningPlan:
        """Refuse."""
        _refuse("start")

    def replace(
        self,
        plan: Plan,
        names: list[str],
        run: RunFolder,
        say: Say,
        *,
        lent: Mapping[str, str] | None = None,
    ) -> RunningPlan:
        """Refuse."""
        _refuse("restart")

    def build(self, plan: Plan, run: RunFolder, say: Say, *, again: bool = False) -> list[str]:
        """Refuse."""
        _refuse("build")

    def keep_data(self, plan: Plan, run: RunFolder) -> None:
        """Refuse."""
        _refuse("keep the data of")

    def drop_data(self, run: RunFolder) -> bool:
        """There are none of stackproof's."""
        return False

    def attach(self, plan: Plan, run: RunFolder) -> RunningPlan:
        """The stack at the addresses of the plan."""
        return AttachedPlan(plan)

    def shut_down(
        self, run: RunFolder, seconds: float, say: Say, *, disposable: bool = False
    ) -> None:
        """Refuse."""
        _refuse("stop")


def _refuse(verb: str) -> NoReturn:
    raise NotAttached(
        f"stackproof can't {verb} a stack that it only attaches to",
        remedy="choose --engine process or --engine compose for a copy of its own",
    )
