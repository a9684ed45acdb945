"""What was asked of the gateway, entry by entry, bounded."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, fields
from typing import Any

from stackproof.gateway.encoding import from_bytes

MOST_ENTRIES = 10_000
"""Entries that a namespace keeps; older ones are dropped and counted."""

LONGEST_BODY = 20_000
"""Bytes of a request that are kept."""

DEEPEST_BODY = 100
"""Levels of a request that are shown as values; a deeper one is shown as text."""


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
        body: The request, cut if it is long.
        reply: What was answered, in a few words.
        usage: Tokens, as the answer has them.
        latency_ms: Milliseconds from the request to the end of the answer.
        fault: `kind`, `unit` and `reached_app` of a fault; None where there was none.
        user_agent: What the client calls itself.
        retry_count: The client's own count of tries before this one; None where it does not say.
        client_closed: Whether the client went away before the end of the answer.
        unknown_fields: Fields of the request that no provider's reference knows.
        script: Name of the script that answered; empty where none did.
        source: Who answered: `fake`, `replay`, `record` or `live`.
        usd: What the call cost; None where it went to no provider.
        digest: Names the content of the request.
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
    body: bytes = b""
    reply: str = ""
    usage: dict[str, int] = field(default_factory=dict)
    latency_ms: float = 0.0
    fault: dict[str, str] | None = None
    user_agent: str = ""
    retry_count: int | None = None
    client_closed: bool = False
    unknown_fields: list[str] = field(default_factory=list)
    script: str = ""
    source: str = "fake"
    usd: float | None = None
    digest: str = ""

    def to_json(self) -> dict[str, Any]:
        """The entry as plain values; its body is read as `request`."""
        found = {name: getattr(self, name) for name in _SHOWN}
        return {**found, "request": _readable(self.body)}


_SHOWN = [one.name for one in fields(Entry) if one.name not in {"body", "digest"}]


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
    return all(_is_shallow(one, levels - 1) for one in below)


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

    def to_json(self, *, model: str | None = None) -> list[dict[str, Any]]:
        """The entries as plain values, oldest first."""
        return [one.to_json() for one in self.entries if model is None or one.model == model]
