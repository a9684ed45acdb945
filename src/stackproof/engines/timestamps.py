"""How moments are written in logs and events; the supervisor loads it, so it imports little."""

from __future__ import annotations

import time


def timestamp(seconds: float | None = None) -> str:
    """A wall-clock time as ISO 8601 in UTC with microseconds."""
    moment = time.time() if seconds is None else seconds
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{whole}.{int(moment % 1 * 1_000_000):06d}Z"
