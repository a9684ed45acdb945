"""What to show for a request that was never recorded: the nearest one, and the difference."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from stackproof.gateway.provider.cassettes import Cassette, to_text
from stackproof.gateway.provider.requests import RecordedRequest

MOST_LINES = 40
LONGEST_TEXT = 20_000


def difference(request: RecordedRequest, cassettes: Iterable[Cassette]) -> str:
    """The difference between a request and the recorded one that is nearest to it.

    Args:
        request: The request.
        cassettes: What was recorded.

    Returns:
        A unified diff, or a sentence where there is nothing to compare with.
    """
    known = list(cassettes)
    same_path = [one for one in known if one.request.path == request.path]
    candidates = same_path or known
    if not candidates:
        return "nothing was recorded yet"
    asked = _lines(request)
    nearest = max(candidates, key=lambda one: _likeness(asked, _lines(one.request)))
    diff = difflib.unified_diff(
        _lines(nearest.request), asked, nearest.path.name, "this request", lineterm="", n=2
    )
    lines = list(diff)
    more = [f"... and {len(lines) - MOST_LINES} lines more"] if len(lines) > MOST_LINES else []
    return "\n".join([*lines[:MOST_LINES], *more])


def _lines(request: RecordedRequest) -> list[str]:
    return to_text(request.to_yaml())[:LONGEST_TEXT].splitlines()


def _likeness(one: list[str], other: list[str]) -> float:
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()
