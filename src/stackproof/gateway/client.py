"""What a test asks of a gateway: its own address and key, and what was called in its namespace."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

TIMEOUT = 10.0
"""Seconds that the gateway gets to answer."""


@dataclass(frozen=True)
class FaultEntry:
    """A fault that was answered.

    Attributes:
        kind: `fail-once`, `always-fail`, `fail-N` or `httpNNN`.
        unit: What the fault is meant to hit: `surface` is the application.
        reached_app: `reached`, `absorbed` (the client tried again by itself) or `unknown`.
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
    extra: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        fault = f" {self.fault.kind} ({self.fault.reached_app})" if self.fault else ""
        return f"{self.seq:4d} {self.method} {self.path} {self.model or '-'} {self.status}{fault}"


class GatewayClient:
    """A gateway as one test sees it: one namespace.

    Args:
        base_url: Address of the gateway, such as `http://127.0.0.1:14000`.
        namespace: The test's namespace: letters, digits, dots, - and _.
    """

    def __init__(self, base_url: str, namespace: str) -> None:
        import httpx

        self.base_url = base_url.rstrip("/")
        self.namespace = namespace
        self._http = httpx.Client(base_url=self.base_url, timeout=TIMEOUT)

    @property
    def openai_base_url(self) -> str:
        """Base URL for an OpenAI client, which leads into the namespace."""
        return f"{self.base_url}/t/{self.namespace}/v1"

    @property
    def api_key(self) -> str:
        """API key that leads into the namespace, whatever the URL."""
        return f"sk-e2e-{self.namespace}"

    def requests(self, model: str | None = None, path: str | None = None) -> list[JournalEntry]:
        """The calls so far, oldest first.

        Args:
            model: Only those of one model.
            path: Only those of one path, such as `/v1/chat/completions`.
        """
        answer = self._http.get(f"/_gateway/t/{self.namespace}/journal").raise_for_status()
        entries = [_entry(one) for one in answer.json()["entries"]]
        return [one for one in entries if model in {None, one.model} and path in {None, one.path}]

    def faults(self, model: str | None = None) -> list[JournalEntry]:
        """The calls that were answered with a fault."""
        return [one for one in self.requests(model) if one.fault is not None]

    def assert_fault_reached_app(self, model: str | None = None) -> None:
        """Fail unless there was a fault, and each one has reached the application.

        Raises:
            AssertionError: With the journal.
        """
        found = self.faults(model)
        bad = [one for one in found if one.fault and one.fault.reached_app != "reached"]
        if bad or not found:
            what = "a fault was absorbed by the client" if bad else "there was no fault"
            lines = "\n".join(map(str, self.requests())) or "(no calls)"
            raise AssertionError(f"{what}; the journal of {self.namespace}:\n{lines}")

    def reset(self) -> None:
        """Forget everything of the namespace."""
        self._http.post(f"/_gateway/t/{self.namespace}/reset").raise_for_status()

    def namespaces(self) -> list[str]:
        """Names of all namespaces that were used."""
        names: list[str] = (
            self._http.get("/_gateway/namespaces").raise_for_status().json()["namespaces"]
        )
        return names

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _entry(value: dict[str, Any]) -> JournalEntry:
    known = {one.name for one in fields(JournalEntry)}
    given = {key: item for key, item in value.items() if key in known}
    extra = {key: item for key, item in value.items() if key not in known}
    fault = given.pop("fault", None)
    return JournalEntry(**given, fault=FaultEntry(**fault) if fault else None, extra=extra)
