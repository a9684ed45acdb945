"""The flake meter: each test many times, in an order that its seed decides, and what came of it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import pytest

from stackproof.suites.flake import Failure, cause_of, run_id, table, tallies

ARTIFACTS = "stackproof artifacts"
"""The section of a failing test's report that names its artifacts."""


def add_options(parser: pytest.Parser) -> None:
    """Add the options of the flake meter; `nox -s flake` gives them."""
    group = parser.getgroup("stackproof")
    group.addoption("--flake-runs", type=int, metavar="N", help="run each test so many times")
    group.addoption("--flake-seed", type=int, default=0, help="decides the order of these runs")


def runs_wanted(config: pytest.Config) -> int:
    """How often each test runs; 0 where the flake meter is off."""
    return config.getoption("--flake-runs") or 0


def repeat(metafunc: pytest.Metafunc) -> None:
    """Make so many runs of a test as are wanted."""
    runs = runs_wanted(metafunc.config)
    if runs:
        name = "stackproof_flake_run"
        metafunc.fixturenames.append(name)
        metafunc.parametrize(name, range(runs), ids=[run_id(number) for number in range(runs)])


def shuffle(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the runs into the seed's order, which is the same in all workers of pytest-xdist."""
    if runs_wanted(config):
        random.Random(config.getoption("--flake-seed")).shuffle(items)  # noqa: S311 - no secret


def flake_lines(reporter: pytest.TerminalReporter) -> list[str]:
    """The table of all tests, and their failures by cause."""
    stats = reporter.stats
    failures: dict[str, Failure] = {}
    for report in [*stats.get("failed", []), *stats.get("error", [])]:
        if isinstance(report, pytest.TestReport):
            failures.setdefault(report.nodeid, _failure(report))
    passed = [report.nodeid for report in stats.get("passed", []) if report.nodeid not in failures]
    counted = tallies(passed, failures.values())
    seed = reporter.config.getoption("--flake-seed")
    lines = [f"{runs_wanted(reporter.config)} runs of each test, shuffled by the seed {seed}"]
    lines += table(counted) if counted else ["no run has passed or failed"]
    skipped = len(stats.get("skipped", []))
    return [*lines, f"{skipped} runs were skipped, and count for nothing"] if skipped else lines


def _failure(report: pytest.TestReport) -> Failure:
    crash = getattr(report.longrepr, "reprcrash", None)
    message = str(crash.message) if crash is not None else report.longreprtext
    where = "" if report.when == "call" else f"{report.when}: "
    return Failure(report.nodeid, where + cause_of(message), next(_kept(report.sections), ""))


def _kept(sections: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The first file that was kept of a failure."""
    return (text.splitlines()[0] for name, text in sections if name == ARTIFACTS and text)
