"""The proof that a session leaves nothing: what its stacks were, against what is still there."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from stackproof.reaper.launch import Launched

GONE_SECONDS = 10.0
"""How long what has ended in an orderly way may take to disappear."""

REAPED_SECONDS = 60.0
"""How long the reapers of a crashed worker's stacks may take."""

MOST_NAMES = 5
"""Stacks of a crashed worker that are named."""

_OUTPUT, _INPUT = "stackproof_left", "stackproof_runs"
_WRITING = threading.Lock()


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
    _folder: Path | None = None

    def worker_begins(self, node: Any) -> None:
        """Tell a worker of pytest-xdist where to note its runs, in case it crashes."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="stackproof-workers-"))
        node.workerinput[_INPUT] = str(self._folder / f"{node.gateway.id}.json")

    def worker_ended(self, node: Any) -> None:
        """Take over what a worker of pytest-xdist has found, or notice that it has crashed."""
        output = getattr(node, "workeroutput", None)
        name = node.gateway.id
        if output is not None:
            self.left += [f"{one} ({name})" for one in output.get(_OUTPUT, ())]
            return
        self._crashed[name] = _runs_of(node)

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
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        return not self.left

    def _await_reapers(self, worker: str, runs: Sequence[Launched]) -> None:
        from stackproof.inventory import wait_until_gone

        left = wait_until_gone(runs, os.environ, seconds=REAPED_SECONDS)
        latest = ", ".join(one.run.project for one in runs[-MOST_NAMES:]) or "it had none"
        if left:
            self.left += [f"{one} (of {worker}, which crashed)" for one in left]
        else:
            count = f"{len(runs)} stacks, the latest" if len(runs) > MOST_NAMES else "stacks"
            self.told.append(f"{worker} crashed; nothing is left of its {count}: {latest}")


def note_runs(config: pytest.Config) -> None:
    """In a worker of pytest-xdist: write down what it has started, for the case that it crashes."""
    from stackproof.reaper.launch import launched

    path = getattr(config, "workerinput", {}).get(_INPUT)
    if path is None:
        return
    with _WRITING:  # stacks are started in several threads
        runs = [
            [str(one.run.root), one.run.project, one.run_id, one.reaper, one.in_docker]
            for one in launched()
        ]
        draft = Path(f"{path}.new")
        draft.write_text(json.dumps(runs), encoding="utf-8")
        draft.replace(path)


def _runs_of(node: Any) -> list[Launched]:
    """What a crashed worker has noted, and what it was about to start."""
    from stackproof.inventory import runs_of_owner
    from stackproof.reaper.launch import Launched
    from stackproof.reaper.sweep import ProcessId
    from stackproof.run_folder import RunFolder, state_root

    pid = getattr(node, "workerinfo", {}).get("pid")
    runs = {one.run_id: one for one in runs_of_owner(state_root(os.environ), pid)} if pid else {}
    with contextlib.suppress(OSError, ValueError):
        noted = json.loads(Path(node.workerinput[_INPUT]).read_text(encoding="utf-8"))
        for root, project, run_id, reaper, in_docker in noted:
            run = RunFolder(Path(root), project)
            process = ProcessId(*reaper) if reaper else None
            runs[run_id] = Launched(run, run_id, process, in_docker)
    return list(runs.values())


def _left_of_this_process() -> list[str]:
    from stackproof.inventory import wait_until_gone
    from stackproof.reaper.launch import launched

    return wait_until_gone(launched(), os.environ, seconds=GONE_SECONDS)
