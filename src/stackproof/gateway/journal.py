"""What was asked of the gateway, entry by entry, bounded."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

MOST_ENTRIES = 10_000
"""Entries that a namespace keeps; older ones are dropped and counted."""

LONGEST_BODY = 20_000
"""Characters of a request that are kept."""


@dataclass
class Entry:
    """One call.

    Attributes:
        seq: Number of the call in its namespace, from 1.
        namespace: Its namespace.
        time: Wall clock, seconds since 1970.
        monotonic: Monotonic seconds.
        method: HTTP method.
        path: Path without the namespace's prefix.
        model: Model that was asked for; empty where there is none.
        status: Status that was answered.
        streamed: Whether the answer was a stream.
        request: The request, cut if it is long.
        reply: What was answered, in a few words.
        usage: Tokens, as the answer has them.
        latency_ms: Milliseconds from the request to the end of the answer.
        fault: `kind`, `unit` and `reached_app` of a fault; None where there was none.
        user_agent: What the client calls itself.
        retry_count: The client's own count of tries before this one; None where it does not say.
        client_closed: Whether the client went away before the end of the answer.
    """

    seq: int
    namespace: str
    time: float
    monotonic: float
    method: str
    path: str
    model: str = ""
    status: int = 0
    streamed: bool = False
    request: Any = None
    reply: str = ""
    usage: dict[str, int] = field(default_factory=dict)
    latency_ms: float = 0.0
    fault: dict[str, str] | None = None
    user_agent: str = ""
    retry_count: int | None = None
    client_closed: bool = False
    digest: str = field(default="", repr=False)


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
        itself: then a later call with the same content counts its retries.
        """
        if not entry.retry_count:
            return
        for earlier in reversed(self.entries):
            if earlier is not entry and earlier.digest == entry.digest:
                if earlier.fault is not None:
                    earlier.fault["reached_app"] = "absorbed"
                return

    @property
    def dropped(self) -> int:
        """How many entries are not kept any more."""
        return self.count - len(self.entries)

    def to_json(self, *, model: str | None = None) -> list[dict[str, Any]]:
        """The entries as plain values, oldest first."""
        found = []
        for entry in self.entries:
            if model is None or entry.model == model:
                value = asdict(entry)
                del value["digest"]
                found.append(value)
        return found
