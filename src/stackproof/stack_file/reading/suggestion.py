"""What a person probably meant by a name that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A remedy for an unknown name: the nearest known one, or all of them.

    Args:
        name: What was written.
        known: What could have been written.
    """
    names = list(dict.fromkeys(known))
    folded = {candidate.lower(): candidate for candidate in names}
    near = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    if near:
        return f"did you mean {folded[near[0]]}?"
    return f"known: {', '.join(sorted(names))}" if names else "there is none of that kind"
