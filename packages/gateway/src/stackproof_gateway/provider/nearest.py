"""What to show for a request that was never recorded: the nearest one, and the difference."""

from __future__ import annotations

import difflib

from stackproof_gateway.provider.cassettes import Cassettes, to_text
from stackproof_gateway.provider.requests import RecordedRequest

MOST_LINES = 40
LONGEST_TEXT = 20_000


def difference(request: RecordedRequest, cassettes: Cassettes) -> str:
    """The difference between a request and the recorded one that is nearest to it.

    Values that change from run to run are shown as the placeholders that are compared.

    Args:
        request: The request.
        cassettes: What was recorded.

    Returns:
        A unified diff, or a sentence where there is nothing to compare with.
    """
    known = list(cassettes.by_key.values())
    same_path = [cassette for cassette in known if cassette.request.path == request.path]
    candidates = [
        (cassette.path.name, _lines(cassettes.numbered(cassette.request).request))
        for cassette in same_path or known
    ]
    if not candidates:
        return "nothing was recorded yet"
    asked = _lines(cassettes.numbered(request).request)
    name, nearest = max(candidates, key=lambda candidate: _likeness(asked, candidate[1]))
    diff = difflib.unified_diff(nearest, asked, name, "this request", lineterm="", n=2)
    lines = list(diff)
    more = [f"... and {len(lines) - MOST_LINES} lines more"] if len(lines) > MOST_LINES else []
    return "\n".join([*lines[:MOST_LINES], *more])


def _lines(request: RecordedRequest) -> list[str]:
    return to_text(request.to_yaml())[:LONGEST_TEXT].splitlines()


def _likeness(lines: list[str], other: list[str]) -> float:
    return difflib.SequenceMatcher(None, lines, other, autojunk=False).ratio()
