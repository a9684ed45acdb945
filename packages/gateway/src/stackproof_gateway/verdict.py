"""What each client did with the answers: how often it tried again, and which faults it hid.

A client's own retries carry a count (`x-stainless-retry-count`). A retry layer around it starts
anew at 0, so it is told by the same content being asked again after a failure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from stackproof_gateway.journal import Entry

FIRST_FAILURE = 400


@dataclass
class Verdict:
    """What is known of one client.

    Attributes:
        client: What it calls itself.
        requests: Different things that its application asked for.
        calls: Calls of the client, its own retries not counted.
        tries: Requests on the wire.
        faults: Faults that were answered.
        reached: Those that reached its application.
        absorbed: Those that it hid by trying again.
        refused: Requests that were not what the provider takes.
        left_early: Answers that it did not wait for.
        unknown_fields: Fields that no provider's reference knows.
    """

    client: str
    requests: int = 0
    calls: int = 0
    tries: int = 0
    faults: int = 0
    reached: int = 0
    absorbed: int = 0
    refused: int = 0
    left_early: int = 0
    unknown_fields: set[str] = field(default_factory=set)

    def count(self, entry: Entry, *, again: bool) -> None:
        """Take a call into account.

        Args:
            entry: The call.
            again: Whether the same had been asked just before, and had failed.
        """
        self.tries += 1
        self.calls += not entry.retry_count
        self.requests += not again
        self.left_early += entry.client_closed
        self.unknown_fields.update(entry.unknown_fields)
        if entry.fault is None:
            self.refused += FIRST_FAILURE <= entry.status < 500  # noqa: PLR2004 - HTTP's
            return
        self.faults += 1
        self.reached += entry.fault["reached_app"] == "reached"
        self.absorbed += entry.fault["reached_app"] == "absorbed"

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the amplification of each layer and in words."""
        requests, calls = max(self.requests, 1), max(self.calls, 1)
        found = {**vars(self), "unknown_fields": sorted(self.unknown_fields)}
        found["amplification"] = round(self.tries / requests, 3)
        found["client_amplification"] = round(self.tries / calls, 3)
        found["outer_amplification"] = round(self.calls / requests, 3)
        found["verdict"] = self._words(found)
        return found

    def _words(self, found: dict[str, Any]) -> str:
        said = [f"{_counted(self.tries, 'try', 'tries')} for {_counted(self.requests, 'request')}"]
        if self.absorbed:
            said.append(f"hid {self.absorbed} of {_counted(self.faults, 'fault')}")
        if found["outer_amplification"] > 1:
            said.append("a layer around the client retries, too")
        if self.refused:
            said.append(f"{_counted(self.refused, 'request')} refused")
        if self.left_early:
            said.append(f"left {_counted(self.left_early, 'answer')} early")
        if self.unknown_fields:
            said.append(f"sends unknown fields: {', '.join(sorted(self.unknown_fields))}")
        return "; ".join(said)


def _counted(number: int, name: str, several: str = "") -> str:
    return f"{number} {name if number == 1 else several or f'{name}s'}"


def verdicts(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """A verdict for each client, by what the clients call themselves.

    Args:
        entries: The calls of a namespace, oldest first.
    """
    found: dict[str, Verdict] = {}
    failed: dict[tuple[str, str], bool] = {}
    for entry in entries:
        verdict = found.setdefault(entry.user_agent, Verdict(entry.user_agent))
        content = (entry.user_agent, entry.digest)
        again = bool(entry.digest) and failed.get(content, False)
        verdict.count(entry, again=again)
        failed[content] = entry.fault is not None or entry.status >= FIRST_FAILURE
    return [found[name].to_json() for name in sorted(found)]
