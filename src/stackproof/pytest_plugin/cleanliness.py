"""The proof that a session leaves nothing: what its stacks were, against what is still there."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from stackproof.reaper.lease import Launched

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
    _workers: dict[str, int] = field(default_factory=dict)
    _interrupted: dict[str, list[Launched]] = field(default_factory=dict)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """In a worker of pytest-xdist: tell what was started for a test, or ahead of it."""
        report = yield
        if report.when == "setup" and hasattr(item.config, "workerinput"):
            report.user_properties += [(PROJECT, project) for project in self._new_projects()]
        return report

    def _new_projects(self) -> list[str]:
        from stackproof.reaper.lease import launched

        new = [run for run in launched() if run.run_id not in self._told_of]
        self._told_of.update(run.run_id for run in new)
        return [run.run.project for run in new]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Learn from a worker of pytest-xdist what it has started, in case it crashes."""
        worker = getattr(report, "worker_id", None)
        if report.when == "setup" and worker is not None:
            projects = [value for name, value in report.user_properties if name == PROJECT]
            runs = [_run_of(str(project)) for project in projects]
            self._known.setdefault(worker, []).extend(run for run in runs if run is not None)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_newgateway(self, gateway: Any) -> None:
        """Remember the process of a worker of pytest-xdist until it is down."""
        self._workers[gateway.id] = gateway._rinfo().pid  # noqa: SLF001 - nothing else tells it

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker of pytest-xdist has found, or notice that it has crashed."""
        output = getattr(node, "workeroutput", None)
        name = node.gateway.id
        pid = self._workers.pop(name, None)
        if output is not None:
            self.left += [f"{line} ({name})" for line in output.get(_OUTPUT, ())]
        else:
            self._crashed[name] = self._runs_of(name, pid)

    @pytest.hookimpl(tryfirst=True)  # before pytest-xdist ends its workers
    def pytest_sessionfinish(self) -> None:
        """Learn what the workers have that a person interrupts, before they are gone."""
        for worker, pid in self._workers.items():
            self._interrupted[worker] = self._runs_of(worker, pid)

    def _runs_of(self, worker: str, pid: int | None) -> list[Launched]:
        """What a worker has started, as far as it is known or still there."""
        found = [*self._known.get(worker, ()), *_runs_of_process(pid)]
        return list({run.run_id: run for run in found}.values())

    def finish(
        self, config: pytest.Config, troubles: Sequence[str], *, interrupted: bool = False
    ) -> bool:
        """Compare what this process has started with what is there; tells whether all is gone.

        Args:
            config: The session's configuration.
            troubles: Stacks that did not end well.
            interrupted: Whether a person has ended the session, who is told that all is gone.
        """
        self.left += [*troubles, *_left_of_this_process()]
        for worker, runs in self._crashed.items():
            self._await_reapers(f"{worker} crashed", runs)
        if interrupted and not self.left:
            self._tell_of_interruption()
        output = getattr(config, "workeroutput", None)
        if output is not None:
            output[_OUTPUT] = self.left
        return not self.left

    def _tell_of_interruption(self) -> None:
        from stackproof.reaper.lease import launched

        if launched():
            self._await_reapers("interrupted", launched())
        for worker, runs in self._interrupted.items():
            now = _runs_of_process(self._workers.get(worker))
            self._await_reapers(f"{worker} was interrupted", [*runs, *now])

    def _await_reapers(self, end: str, runs: Sequence[Launched]) -> None:
        from stackproof.engines.inventory import wait_until_gone

        left = wait_until_gone(runs, os.environ, seconds=REAPED_SECONDS)
        self.left += [f"{thing} ({end})" for thing in left]
        if not left and runs:
            latest = ", ".join(run.run.project for run in runs[-MOST_NAMES:])
            count = f"{len(runs)} stacks, the latest" if len(runs) > MOST_NAMES else "stacks"
            self.told.append(f"{end}; nothing is left of its {count}: {latest}")
        elif not runs:
            self.told.append(f"{end}; nothing is left of it")


def _run_of(project: str) -> Launched | None:
    """The run of a project that is up now."""
    from stackproof.reaper.lease import Launched
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
    from stackproof.reaper.lease import launched

    return wait_until_gone(launched(), os.environ, seconds=GONE_SECONDS)
