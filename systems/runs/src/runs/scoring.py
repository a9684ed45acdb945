"""What counts as a correct answer."""

from __future__ import annotations


def is_correct(answer: str, expected: str) -> bool:
    """Exact match; only the white space around it does not count."""
    return answer.strip() == expected.strip()
