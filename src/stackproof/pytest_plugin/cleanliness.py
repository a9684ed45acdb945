"""The proof that a session leaves nothing: what its stacks were, against what is still there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from stackproof.reaper.launch import Launched

GONE_SECONDS = 10.0
"""How long what has ended in an orderly way may take to disappear."""

REAPED_SECONDS = 60.0
"""How long the reapers of a crashed worker's stacks may take."""

_OUTPUT = "stackproof_left"


@dataclass
class Cleanliness:
    """What is known of the end of a session's stacks.

    Attributes:
        left: What is left of them, in words.
        told: What else there is to say.
    """

    left: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    _crashed: dict[str, list[Launched]] = field(default_factory=dict)

    def worker_ended(self, node: Any) -> None:
        """Take over what a worker of pytest-xdist has found, or notice that it has crashed."""
        output = getattr(node, "workeroutput", None)
        name = node.gateway.id
        if output is not None:
            self.left += [f"{one} ({name})" for one in output.get(_OUTPUT, ())]
            return
        from stackproof.inventory import runs_of_owner
        from stackproof.run_folder import state_root

        pid = getattr(node, "workerinfo", {}).get("pid")
        self._crashed[name] = runs_of_owner(state_root(os.environ), pid) if pid else []

    def finish(self, config: pytest.Config, troubles: Sequence[str]) -> bool:
        """Compare what this process has started with what is there; tells whether all is gone.

        Args:
            config: The session's configuration.
            troubles: Stacks that did not end well.
        """
        self.left += [*troubles, *_left_of_this_process()]
        for worker, runs in self._crashed.items():
            self._await_reapers(worker, runs)
        output = getattr(config, "workeroutput", None)
        if output is not None:
            output[_OUTPUT] = self.left
        return not self.left

    def _await_reapers(self, worker: str, runs: Sequence[Launched]) -> None:
        from stackproof.inventory import wait_until_gone

        left = wait_until_gone(runs, os.environ, seconds=REAPED_SECONDS)
        names = ", ".join(one.run.project for one in runs) or "those it had, if any"
        if left:
            self.left += [f"{one} (of {worker}, which crashed)" for one in left]
        else:
            self.told.append(f"{worker} crashed; nothing is left of its stacks: {names}")


def _left_of_this_process() -> list[str]:
    from stackproof.inventory import wait_until_gone
    from stackproof.reaper.launch import launched

    return wait_until_gone(launched(), os.environ, seconds=GONE_SECONDS)
