"""Failures of commands that need a running stack, or end one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackproof.errors.root import StackproofError

if TYPE_CHECKING:
    from collections.abc import Sequence


class CommandFailed(StackproofError):
    """A command that ran on the user's behalf ended with a non-zero status.

    Args:
        what: Which command, for what.
        exit_code: Its exit status; negative is minus the signal's number.
        output: The end of its output.
        remedy: What to do next.
    """

    def __init__(self, what: str, *, exit_code: int, output: str = "", remedy: str = "") -> None:
        self.exit_code = exit_code
        self.output = output
        super().__init__(what, observed=output, remedy=remedy)


class StackBusy(StackproofError):
    """Another command holds the lock of the same stack."""


class NoStack(StackproofError):
    """The command needs a running stack, and there is none."""


class NoAnswer(StackproofError):
    """A process that runs a stack was asked something, and does not answer.

    Args:
        who: The process, such as `the supervisor of shop-e2e`.
        waited: Seconds without an answer.
        observed: What is known of the process.
        remedy: What to do next.
    """

    def __init__(self, who: str, *, waited: float, observed: str, remedy: str) -> None:
        self.who = who
        self.waited = waited
        super().__init__(
            f"{who} did not answer for {int(waited)} s", observed=observed, remedy=remedy
        )


class Refused(StackproofError):
    """Going on could touch a database, container or process that stackproof did not make."""


class NotAttached(Refused):
    """It is not possible with a stack that somebody else has started.

    In a test, the pytest plugin skips it with this reason.
    """


class TeardownIncomplete(StackproofError):
    """Something is still there after taking a stack down.

    Args:
        leftovers: Each thing that is left, in words.
        remedy: What to do next.
    """

    def __init__(self, leftovers: Sequence[str], *, remedy: str = "") -> None:
        self.leftovers = tuple(leftovers)
        super().__init__(
            "not everything could be taken down",
            observed="\n".join(leftovers),
            remedy=remedy or "run `invoke clean`; it names what it can't end",
        )
