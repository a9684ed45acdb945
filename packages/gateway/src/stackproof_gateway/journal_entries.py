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


@dataclass(kw_only=True)
class RecordedCall:
    """What the gateway and its clients know of a call.

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
        reply: What was answered, in a few words.
        usage: Tokens, as the answer has them.
        latency_ms: Milliseconds from the request to the end of the answer.
        user_agent: What the client calls itself.
        retry_count: The client's own count of tries before this one; None where it does not say.
        client_closed: Whether the client went away before the end of the answer.
        unknown_fields: Fields of the request that no provider's reference knows.
        script: Name of the script that answered; empty where none did.
        source: Who answered: `fake`, `replay`, `record` or `live`.
        usd: What the call cost; None where it went to no provider.
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
    reply: str = ""
    usage: dict[str, int] = field(default_factory=dict)
    latency_ms: float = 0.0
    user_agent: str = ""
    retry_count: int | None = None
    client_closed: bool = False
    unknown_fields: list[str] = field(default_factory=list)
    script: str = ""
    source: str = "fake"
    usd: float | None = None


@dataclass(kw_only=True)
class JournalEntry(RecordedCall):
    """One call, as a test reads it.

    Attributes:
        request: The request's body as values; as text where it was cut, or is no JSON.
        fault: What failed on purpose; None where nothing did.
        extra: Fields of a newer gateway.
    """

    request: Any = None
    fault: FaultEntry | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        fault = f" {self.fault.kind} ({self.fault.reached_app})" if self.fault else ""
        return f"{self.seq:4d} {self.method} {self.path} {self.model or '-'} {self.status}{fault}"


_KNOWN = frozenset(known_field.name for known_field in fields(JournalEntry))


@dataclass(frozen=True)
class Verdict:
    """What one client did with the answers; see `stackproof_gateway.verdict.Verdict`.

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
    given = {key: item for key, item in value.items() if key in _KNOWN}
    extra = {key: item for key, item in value.items() if key not in _KNOWN}
    fault = given.pop("fault", None)
    return JournalEntry(**given, fault=FaultEntry(**fault) if fault else None, extra=extra)


def verdict_of(value: dict[str, Any]) -> Verdict:
    """A verdict from its plain values."""
    known = {known_field.name for known_field in fields(Verdict)}
    return Verdict(**{key: value[key] for key in value if key in known}, figures=value)
