"""What was asked of the gateway, entry by entry, bounded."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, fields
from typing import Any

from stackproof_gateway.encoding import from_bytes
from stackproof_gateway.journal_entries import RecordedCall

MOST_ENTRIES = 10_000
"""Entries that a namespace keeps; older ones are dropped and counted."""

LONGEST_BODY = 20_000
"""Bytes of a request that are kept."""

DEEPEST_BODY = 100
"""Levels of a request that are shown as values; a deeper one is shown as text."""


@dataclass(kw_only=True)
class Entry(RecordedCall):
    """One call, as the gateway keeps it.

    Attributes:
        body: The request, cut if it is long.
        digest: Names the content of the request.
        fault: `kind`, `unit` and `reached_app` of a fault; None where there was none.
    """

    body: bytes = b""
    digest: str = ""
    fault: dict[str, str] | None = None

    def to_json(self) -> dict[str, Any]:
        """The entry as plain values; its body is read as `request`."""
        found = {name: getattr(self, name) for name in _SHOWN}
        return {**found, "request": _readable(self.body)}


_SHOWN = [
    known_field.name for known_field in fields(Entry) if known_field.name not in {"body", "digest"}
]


def _readable(body: bytes) -> Any:
    """A body as values, or as text where it is cut, deep, or no JSON."""
    try:
        value = from_bytes(body) if body else None
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")
    return value if _is_shallow(value, DEEPEST_BODY) else body.decode("utf-8", "replace")


def _is_shallow(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    if levels == 0:
        return False
    below = value.values() if isinstance(value, dict) else value
    return all(_is_shallow(item, levels - 1) for item in below)


class Journal:
    """The entries of one namespace."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=MOST_ENTRIES)
        self.count = 0

    def add(self, entry: Entry) -> None:
        """Keep an entry."""
        self.entries.append(entry)

    def learn(self, entry: Entry) -> None:
        """Learn from a call what became of an earlier fault.

        A fault has reached the application unless the client tries the same request again by
        itself: then a later call with the same content counts its retries. If that one fails as
        well, the earlier one was only repeated.
        """
        if not entry.retry_count:
            return
        for earlier in reversed(self.entries):
            if earlier is not entry and earlier.digest == entry.digest:
                if earlier.fault is not None:
                    earlier.fault["reached_app"] = "repeated" if entry.fault else "absorbed"
                return

    @property
    def dropped(self) -> int:
        """How many entries are not kept any more."""
        return self.count - len(self.entries)

    def to_json(self, *, model: str | None = None, since: float = 0.0) -> list[dict[str, Any]]:
        """The entries as plain values, oldest first.

        Args:
            model: Only those of one model.
            since: Only those that began after that moment, in monotonic seconds.
        """
        return [
            entry.to_json()
            for entry in self.entries
            if entry.monotonic > since and model in {None, entry.model}
        ]
