"""What the stacks of a session's tests have cost: a line in the terminal, and a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from stackproof.pytest_plugin.isolated import STARTED, WAITED, WORLD
from stackproof.pytest_plugin.llm import costs_line
from stackproof.pytest_plugin.running import artifacts_known

if TYPE_CHECKING:
    from stackproof.pytest_plugin.isolated import Use

TEARDOWN = ""
"""What pytest files the reports of clean-ups under that went well."""


def write_uses(config: pytest.Config, uses: Sequence[Use]) -> None:
    """Write what each test's stack has cost to `stacks.json`; one file a test process."""
    artifacts = artifacts_known(config)
    if artifacts is None or not uses:
        return
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    name = f"stacks-{worker}.json" if worker else "stacks.json"
    artifacts.write_json(name, [asdict(use) for use in uses])


def summary_lines(reporter: pytest.TerminalReporter) -> list[str]:
    """What tests have waited for and paid, told from their reports, of all workers."""
    reports = [
        report
        for outcome in ("passed", "failed", "skipped", "error", "xfailed", "xpassed", TEARDOWN)
        for report in reporter.stats.get(outcome, [])
        if isinstance(report, pytest.TestReport)
    ]
    costs: dict[str, dict[str, object]] = {}
    for report in reports:
        costs.setdefault(report.nodeid, {}).update(report.user_properties)
    told = dict.fromkeys(str(cost[WORLD]) for cost in costs.values() if WORLD in cost)
    paid = [f"note: {line}" for line in told] + costs_line(list(costs.values()))
    waited = [float(str(cost[WAITED])) for cost in costs.values() if WAITED in cost]
    started = [float(str(cost[STARTED])) for cost in costs.values() if STARTED in cost]
    if not waited:
        return paid
    stacks = f"stacks: {len(waited)} isolated"
    return [f"{stacks}; waited {_spread(waited)}, started {_spread(started)}", *paid]


def _spread(values: Sequence[float]) -> str:
    ordered = sorted(values)
    return f"{ordered[len(ordered) // 2]:.2f} s in the median, {ordered[-1]:.2f} s at most"
