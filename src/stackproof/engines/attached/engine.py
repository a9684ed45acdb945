"""The engine of stacks that somebody else has started: it reaches them, and refuses the rest."""

from __future__ import annotations

from typing import NoReturn

from stackproof.engines.attached.running import AttachedPlan
from stackproof.engines.base import RunningPlan
from stackproof.engines.snapshot_keeping import SnapshotKeeper
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

    def holder_of(self, port: int) -> str:
        """Nobody: no port is asked for."""
        return ""

    def no_copies(self) -> str:
        """Nothing is copied, since nothing is started."""
        return ""

    def attach(self, plan: Plan, run: RunFolder) -> RunningPlan:
        """The stack at the addresses of the plan."""
        return AttachedPlan(plan)

    def drop_data(self, run: RunFolder) -> bool:
        """There are none of stackproof's."""
        return False

    def open(self, *_: object, **__: object) -> NoReturn:
        """Refuse to start a copy."""
        _refuse("start")

    def start(self, *_: object, **__: object) -> NoReturn:
        """Refuse."""
        _refuse("start")

    def replace(self, *_: object, **__: object) -> NoReturn:
        """Refuse."""
        _refuse("restart")

    def build(self, *_: object, **__: object) -> NoReturn:
        """Refuse."""
        _refuse("build")

    def keep_data(self, *_: object, **__: object) -> NoReturn:
        """Refuse."""
        _refuse("keep the data of")

    def shut_down(self, *_: object, **__: object) -> NoReturn:
        """Refuse."""
        _refuse("stop")


def _refuse(verb: str) -> NoReturn:
    raise NotAttached(
        f"stackproof can't {verb} a stack that it only attaches to",
        remedy="choose --engine process or --engine compose for a copy of your own",
    )
