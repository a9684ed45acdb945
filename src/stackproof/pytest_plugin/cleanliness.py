"""The proof that a session leaves nothing: what its stacks were, against what is still there."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
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

PROJECT = "stack_project"
"""A property of a test's report: a stack that its worker has started since the report before."""

_OUTPUT = "stackproof_left"


@dataclass(eq=False)  # a plugin must have a hash
class Cleanliness:
    """What is known of the end of a session's stacks.

    Attributes:
        left: What is left of them, in words.
        told: What else there is to say.
    """

    left: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    _crashed: dict[str, list[Launched]] = field(default_factory=dict)
    _told_of: set[str] = field(default_factory=set)
    _known: dict[str, list[Launched]] = field(default_factory=dict)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """In a worker of pytest-xdist: tell what was started for a test, or ahead of it."""
        report = yield
        if report.when == "setup" and hasattr(item.config, "workerinput"):
            report.user_properties += [(PROJECT, one) for one in self._new_projects()]
        return report

    def _new_projects(self) -> list[str]:
        from stackproof.reaper.launch import launched

        new = [one for one in launched() if one.run_id not in self._told_of]
        self._told_of.update(one.run_id for one in new)
        return [one.run.project for one in new]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Learn from a worker of pytest-xdist what it has started, in case it crashes."""
        worker = getattr(report, "worker_id", None)
        if report.when == "setup" and worker is not None:
            projects = [value for name, value in report.user_properties if name == PROJECT]
            runs = [_run_of(str(one)) for one in projects]
            self._known.setdefault(worker, []).extend(one for one in runs if one is not None)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker of pytest-xdist has found, or notice that it has crashed."""
        output = getattr(node, "workeroutput", None)
        name = node.gateway.id
        if output is not None:
            self.left += [f"{one} ({name})" for one in output.get(_OUTPUT, ())]
            return
        pid = getattr(node, "workerinfo", {}).get("pid")
        found = [*self._known.get(name, ()), *_runs_of_process(pid)]
        self._crashed[name] = list({one.run_id: one for one in found}.values())

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
        from stackproof.engines.inventory import wait_until_gone

        left = wait_until_gone(runs, os.environ, seconds=REAPED_SECONDS)
        latest = ", ".join(one.run.project for one in runs[-MOST_NAMES:]) or "it had none"
        if left:
            self.left += [f"{one} (of {worker}, which crashed)" for one in left]
        else:
            count = f"{len(runs)} stacks, the latest" if len(runs) > MOST_NAMES else "stacks"
            self.told.append(f"{worker} crashed; nothing is left of its {count}: {latest}")


def _run_of(project: str) -> Launched | None:
    """The run of a project that is up now."""
    from stackproof.reaper.launch import Launched
    from stackproof.reaper.leftovers import read_run
    from stackproof.reaper.run_folder import RunFolder, state_root

    run = RunFolder(state_root(os.environ), project)
    state = read_run(run.path)
    if state is None:
        return None
    return Launched(run, state.run_id, state.reaper, bool(state.docker_host))


def _runs_of_process(pid: int | None) -> list[Launched]:
    """What a process that has died had, as far as its reapers have not removed it yet."""
    from stackproof.engines.inventory import runs_of_owner
    from stackproof.reaper.run_folder import state_root

    return [] if pid is None else runs_of_owner(state_root(os.environ), pid)


def _left_of_this_process() -> list[str]:
    from stackproof.engines.inventory import wait_until_gone
    from stackproof.reaper.launch import launched

    return wait_until_gone(launched(), os.environ, seconds=GONE_SECONDS)
