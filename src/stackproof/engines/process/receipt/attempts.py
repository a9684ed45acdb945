"""Attempts of a probe: each is made, and what came back says whether the way is open.

Runs in the supervisor's copies, so the standard library alone.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

ENFORCED, OPEN, UNTESTABLE = "enforced", "open", "untestable"

_SAY_NOTHING = frozenset(
    {errno.ENOSYS, errno.ENODEV, errno.EAFNOSUPPORT, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
)
"""Errors that tell nothing of rights: the kernel lacks the thing, or the try lacks means."""


class RefusedError(Exception):
    """An attempt came to nothing, though no system call failed; the text says how."""


class UntestableError(Exception):
    """An attempt could not be made, or nothing came back; the text says why."""


class Attempt(NamedTuple):
    """One way to try.

    Attributes:
        tried: What is tried, in words.
        action: Tries it; gives what was had by it, and raises where it was refused.
    """

    tried: str
    action: Callable[[], str]


class Outcome(NamedTuple):
    """What became of an attempt.

    Attributes:
        verdict: `enforced`, `open` or `untestable`.
        tried: What was tried.
        observed: What came back.
    """

    verdict: str
    tried: str
    observed: str


def outcome_of(attempt: Attempt) -> Outcome:
    """Make an attempt."""
    try:
        return Outcome(OPEN, attempt.tried, attempt.action())
    except RefusedError as refused:
        return Outcome(ENFORCED, attempt.tried, str(refused))
    except UntestableError as error:
        return Outcome(UNTESTABLE, attempt.tried, str(error))
    except OSError as error:
        kind = UNTESTABLE if error.errno in _SAY_NOTHING else ENFORCED
        return Outcome(kind, attempt.tried, os.strerror(error.errno) if error.errno else str(error))


def worst(verdicts: Iterable[str]) -> str:
    """The verdict of several: one open way opens all, and none at all says nothing."""
    found = set(verdicts)
    for verdict in (OPEN, UNTESTABLE, ENFORCED):
        if verdict in found:
            return verdict
    return UNTESTABLE


Ways = Iterator[Attempt]
"""The attempts of one probe."""
