"""How often a repeated test fails, how sure one can be of that, and for what causes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

DOUBT = 0.05
"""What is left to chance: the bound is the 95 % one."""

HALVINGS = 60
"""Steps of the search for a bound; each halves its error."""

LONGEST_CAUSE = 200

_VARYING = [
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<address>"),
    (re.compile(r"/(?:tmp|var/folders)/[^\s'\":,)]*"), "<path>"),
    (re.compile(r"\b(?=[0-9a-z]*\d)(?=[0-9a-z]*[a-f])[0-9a-f]{6,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\d+(?:\.\d+)?"), "<n>"),
]
_RUN = re.compile(r"(\[|-)run(\d+)\]$")


def upper_bound(failed: int, runs: int, *, doubt: float = DOUBT) -> float:
    """The highest failure rate that so few failures still leave possible.

    One-sided exact bound of Clopper and Pearson (Biometrika 26, 1934): the rate at which so few
    failures, or fewer, have the probability `doubt`.

    Args:
        failed: Runs that failed.
        runs: All runs, at least 1.
        doubt: Probability of being wrong.
    """
    if failed >= runs:
        return 1.0
    if failed == 0:
        return 1.0 - math.pow(doubt, 1.0 / runs)
    low, high = failed / runs, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _at_most(failed, runs, middle) > doubt:
            low = middle
        else:
            high = middle
    return high


def _at_most(failed: int, runs: int, rate: float) -> float:
    """Probability of at most so many failures; summed by logarithms, so that nothing overflows."""
    if rate >= 1.0:
        return 0.0
    logs = (
        math.lgamma(runs + 1)
        - math.lgamma(number + 1)
        - math.lgamma(runs - number + 1)
        + number * math.log(rate)
        + (runs - number) * math.log1p(-rate)
        for number in range(failed + 1)
    )
    return math.fsum(math.exp(log) for log in logs)


def cause_of(message: str) -> str:
    """The first line of a failure, without what differs each time: ids, numbers, times, paths."""
    line = next((text.strip() for text in message.splitlines() if text.strip()), "no message")
    for pattern, word in _VARYING:
        line = pattern.sub(word, line)
    return line if len(line) <= LONGEST_CAUSE else line[:LONGEST_CAUSE] + " …"


def run_id(number: int) -> str:
    """What a run is called in the id of its test."""
    return f"run{number}"


def without_run(test: str) -> str:
    """The id of a test without the run's number."""
    return _RUN.sub(lambda found: "]" if found[1] == "-" else "", test)


@dataclass(frozen=True)
class Failure:
    """A run that failed.

    Attributes:
        test: Its id, with the run's number.
        cause: Why, in the words that all failures of that cause share.
        kept: Where its artifacts are; empty for nowhere.
    """

    test: str
    cause: str
    kept: str = ""


@dataclass
class Tally:
    """What came of the runs of one test.

    Attributes:
        test: Its id.
        runs: How many have run to a verdict.
        failures: Those that failed.
    """

    test: str
    runs: int = 0
    failures: list[Failure] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Share of the runs that failed."""
        return len(self.failures) / self.runs

    @property
    def bound(self) -> float:
        """The 95 % upper bound of the rate."""
        return upper_bound(len(self.failures), self.runs)


def tallies(passed: Iterable[str], failures: Iterable[Failure]) -> list[Tally]:
    """Count by test, those that fail most first.

    Args:
        passed: Ids of the runs that passed.
        failures: Those that failed.
    """
    found: dict[str, Tally] = {}
    for test in passed:
        name = without_run(test)
        found.setdefault(name, Tally(name)).runs += 1
    for failure in failures:
        name = without_run(failure.test)
        tally = found.setdefault(name, Tally(name))
        tally.runs += 1
        tally.failures.append(failure)
    return sorted(found.values(), key=lambda tally: (-tally.rate, tally.test))


def table(counted: Sequence[Tally]) -> list[str]:
    """Rates with their bounds, and the failures by cause, as lines."""
    width = max([len(tally.test) for tally in counted] + [len("test")])
    lines = [f"{'test':<{width}}  runs  failed    rate  95 % upper bound"]
    lines += [
        f"{tally.test:<{width}}  {tally.runs:4}  {len(tally.failures):6}  {tally.rate:6.1%}"
        f"  {tally.bound:16.1%}"
        for tally in counted
    ]
    causes: dict[str, list[Failure]] = {}
    for tally in counted:
        for failure in tally.failures:
            causes.setdefault(failure.cause, []).append(failure)
    for cause, alike in sorted(causes.items(), key=lambda pair: -len(pair[1])):
        lines += ["", f"{len(alike)} failed by: {cause}"]
        lines += [
            f"    {failure.test}{'  ' + failure.kept if failure.kept else ''}" for failure in alike
        ]
    return lines
