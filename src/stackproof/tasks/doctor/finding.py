"""What was found of one prerequisite."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What was found of one prerequisite.

    Attributes:
        verdict: `ok`, `weaker` (works, with less), or `missing`.
        subject: What was looked at.
        observed: What was found.
        remedy: What to do; empty where nothing is needed.
    """

    verdict: str
    subject: str
    observed: str
    remedy: str = ""
