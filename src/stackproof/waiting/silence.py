"""A word to the person who waits, whenever nothing was said for some seconds."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

SILENCE = 5.0
"""Seconds without a line of progress after which one says what is waited for."""

TIME_BEFORE = re.compile(r"^ *[0-9.]+ s  ")
"""The time in front of a line of progress."""

LAST_WORD = 1.0
"""Seconds that a line in the making gets when what it is about has ended."""


class StillWaiting(str):
    """A line of progress about something that goes on; a display may put the next in its place."""

    __slots__ = ()


@contextmanager
def reminding(
    say: Callable[[str], None], what: str | Callable[[], str], *, every: float | None = None
) -> Iterator[Callable[[str], None]]:
    """Say what is waited for, whenever nothing else was said for some seconds.

    Args:
        say: Takes lines of progress; called from a thread as well.
        what: What goes on, such as `stopping shop`; a function gives what goes on at that moment.
        every: Seconds of silence; five if not given.

    Yields:
        What takes the lines of progress meanwhile.
    """
    over, began, pause = threading.Event(), time.monotonic(), every or SILENCE
    spoken, last = began, ""

    def tell(line: str) -> None:
        nonlocal spoken, last
        spoken = time.monotonic()
        if not isinstance(line, StillWaiting):
            last = f", last: {' '.join(TIME_BEFORE.sub('', line).split())}"
        say(line)

    def remind() -> None:
        while not over.wait(max(spoken + pause - time.monotonic(), 0.0)):
            if time.monotonic() - spoken >= pause:
                doing = what if isinstance(what, str) else what()
                tell(StillWaiting(f"still {doing} ({time.monotonic() - began:.0f} s){last}"))

    thread = threading.Thread(target=_quietly, args=(remind,), name="reminder", daemon=True)
    thread.start()
    try:
        yield tell
    finally:
        over.set()
        thread.join(LAST_WORD)


def _quietly(action: Callable[[], None]) -> None:
    """Run something whose failures are met, and told, by what goes on meanwhile as well."""
    with suppress(Exception):
        action()
