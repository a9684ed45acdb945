"""The calls of a namespace, and what clients made of them, as a test reads them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class FaultEntry:
    """A fault that was answered.

    Attributes:
        kind: Its words, such as `fail-once`, `always-fail`, `fail-2-http429` or `cut`.
        unit: What the fault is meant to hit: `surface` (the application), `attempt` or `call`.
        reached_app: `reached`, `absorbed` (the client tried again by itself), `repeated` (it did,
            and failed again) or `unknown` (the client does not say which tries belong together).
    """

    kind: str
    unit: str
    reached_app: str


@dataclass(frozen=True)
class JournalEntry:
    """One call, as the journal has it; see `stackproof.gateway.journal.Entry`."""

    seq: int
    namespace: str
    time: float
    monotonic: float
    method: str
    path: str
    model: str
    status: int
    streamed: bool
    request: Any
    reply: str
    usage: dict[str, int]
    latency_ms: float
    fault: FaultEntry | None
    user_agent: str = ""
    retry_count: int | None = None
    client_closed: bool = False
    unknown_fields: list[str] = field(default_factory=list)
    script: str = ""
    source: str = "fake"
    usd: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        fault = f" {self.fault.kind} ({self.fault.reached_app})" if self.fault else ""
        return f"{self.seq:4d} {self.method} {self.path} {self.model or '-'} {self.status}{fault}"


@dataclass(frozen=True)
class Verdict:
    """What one client did with the answers; see `stackproof.gateway.verdict.Verdict`.

    Attributes:
        client: What it calls itself.
        tries: Requests on the wire.
        amplification: Tries for each thing that the application asked for.
        client_amplification: The part that the client's own retries have in it.
        outer_amplification: The part of retry layers around the client.
        verdict: All of it in words.
        figures: Everything that is known.
    """

    client: str
    tries: int
    amplification: float
    client_amplification: float
    outer_amplification: float
    verdict: str
    figures: dict[str, Any] = field(default_factory=dict, repr=False)


def entry_of(value: dict[str, Any]) -> JournalEntry:
    """An entry from its plain values; fields that this version does not know are kept apart."""
    known = {one.name for one in fields(JournalEntry)}
    given = {key: item for key, item in value.items() if key in known}
    extra = {key: item for key, item in value.items() if key not in known}
    fault = given.pop("fault", None)
    return JournalEntry(**given, fault=FaultEntry(**fault) if fault else None, extra=extra)


def verdict_of(value: dict[str, Any]) -> Verdict:
    """A verdict from its plain values."""
    known = {one.name for one in fields(Verdict)}
    return Verdict(**{key: value[key] for key in value if key in known}, figures=value)
