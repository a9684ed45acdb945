"""Failures of what a test waits for or watches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackproof.errors.root import StackproofError

if TYPE_CHECKING:
    from collections.abc import Sequence


class WaitFailed(StackproofError):
    """A condition did not become true.

    Args:
        what: What was waited for, and how that ended.
        waited: Seconds waited.
        trace: What was observed, oldest first.
        remedy: What to do next.
    """

    def __init__(
        self, what: str, *, waited: float, trace: Sequence[str] = (), remedy: str = ""
    ) -> None:
        self.waited = waited
        self.trace = tuple(trace)
        super().__init__(what, observed="\n".join(trace), remedy=remedy)

    def observe(self, lines: Sequence[str]) -> None:
        """Add what else was seen to the error's text."""
        self.observed = "\n".join(filter(None, [self.observed, *lines]))


class WaitTimeout(WaitFailed):
    """A condition did not become true in time."""

    def __init__(
        self, what: str, *, waited: float, trace: Sequence[str] = (), remedy: str = ""
    ) -> None:
        text = f"{what}: not within {waited:.1f} s"
        super().__init__(text, waited=waited, trace=trace, remedy=remedy)


class WaitStalled(WaitFailed):
    """What was waited for did not get any further for too long."""


class WrongEnd(WaitFailed):
    """What was waited for can't come any more: it ended in another way."""


class IllegalHistory(StackproofError):
    """A thing was seen to go through states that its state machine does not allow.

    Args:
        what: Which thing.
        problems: What is wrong, each in a line.
        drawing: All that was seen, as lines of a timeline.
    """

    def __init__(self, what: str, *, problems: Sequence[str], drawing: Sequence[str]) -> None:
        self.problems = tuple(problems)
        self.drawing = tuple(drawing)
        super().__init__(
            f"{what} went through states that are not allowed",
            observed="\n".join([*problems, *drawing]),
        )
