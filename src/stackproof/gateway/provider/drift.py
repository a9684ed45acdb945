"""Whether the provider still answers in the form that was recorded.

Compared are forms, not contents: which fields there are, and of which type. A field that is gone or
has another type breaks what reads it; a new one is only told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stackproof.gateway.encoding import from_bytes, to_bytes
from stackproof.gateway.provider.budget import Budget
from stackproof.gateway.provider.cassettes import Cassette, RecordedReply
from stackproof.gateway.provider.forwarding import Forwarder
from stackproof.gateway.provider.prices import PriceTable
from stackproof.gateway.provider.usage import usage_of

NAMESPACE = "check"
ANTHROPIC_PATHS = ("/v1/messages", "/v1/messages/count_tokens")
ANTHROPIC_VERSION = "2023-06-01"

Shape = dict[str, frozenset[str]]
"""Types by the path of a field."""


@dataclass(frozen=True)
class Drift:
    """A difference between a recorded answer and the one of today.

    Attributes:
        cassette: Name of the recording's file.
        field: Path of the field.
        recorded: What it was; empty where it was not.
        now: What it is; empty where it is gone.
    """

    cassette: str
    field: str
    recorded: str
    now: str

    @property
    def breaking(self) -> bool:
        """Whether it breaks what reads the answer."""
        return bool(self.recorded)

    def __str__(self) -> str:
        kind = "breaking" if self.breaking else "new"
        before, now = self.recorded or "not there", self.now or "not there"
        return f"{self.cassette}: {self.field}: {before} -> {now} ({kind})"


def shape_of(content: bytes, *, stream: bool) -> Shape:
    """The form of an answer.

    Args:
        content: The answer.
        stream: Whether it is a stream of events.
    """
    found: dict[str, set[str]] = {}
    if stream:
        for line in content.splitlines():
            if line.startswith(b"data:") and line[5:].strip() != b"[DONE]":
                _collect(_value(line[5:]), "event", found)
    else:
        _collect(_value(content), "body", found)
    return {path: frozenset(kinds) for path, kinds in found.items()}


def _value(content: bytes) -> Any:
    try:
        return from_bytes(content)
    except (ValueError, RecursionError):
        return "no JSON"


def _collect(value: Any, path: str, found: dict[str, set[str]]) -> None:
    found.setdefault(path, set()).add(_kind(value))
    if isinstance(value, dict):
        variant = value.get("type")
        name = f"{path}<{variant}>" if isinstance(variant, str) else path
        for key, one in value.items():
            _collect(one, f"{name}.{key}", found)
    elif isinstance(value, list):
        for one in value[:50]:
            _collect(one, f"{path}[]", found)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names = {dict: "object", list: "array", str: "string", int: "number", float: "number"}
    return names.get(type(value), "null")


def differences(name: str, recorded: RecordedReply, now: RecordedReply) -> Iterator[Drift]:
    """How the form of an answer has changed.

    Args:
        name: Name of the recording's file.
        recorded: The recorded answer.
        now: The answer of today.
    """
    if recorded.status != now.status:
        yield Drift(name, "status", str(recorded.status), str(now.status))
        return
    if recorded.is_stream != now.is_stream:
        kinds = {True: "stream", False: "plain"}
        yield Drift(name, "form", kinds[recorded.is_stream], kinds[now.is_stream])
        return
    before = shape_of(recorded.content, stream=recorded.is_stream)
    after = shape_of(now.content, stream=now.is_stream)
    for path in sorted(before.keys() | after.keys()):
        was, is_now = before.get(path, frozenset()), after.get(path, frozenset())
        if was and is_now and (was & is_now or "null" in was | is_now):
            continue
        if was != is_now:
            yield Drift(name, path, " or ".join(sorted(was)), " or ".join(sorted(is_now)))


@dataclass
class Checking:
    """Asks the provider again what was recorded, within a budget.

    Attributes:
        forwarder: Sends requests.
        prices: What they cost.
        budget: What may be spent.
    """

    forwarder: Forwarder
    prices: PriceTable
    budget: Budget

    async def check(self, cassette: Cassette) -> list[Drift]:
        """How the provider's answer to a recorded request has changed.

        Raises:
            BudgetSpentError: If the budget does not allow to ask.
            UnpricedError: If nobody knows what it would cost.
            httpx.HTTPError: If the provider does not answer.
        """
        request = cassette.request
        body = request.body if isinstance(request.body, dict) else None
        if body is None and request.method == "POST":
            return []  # an upload: its bytes were not kept
        data = b"" if body is None else to_bytes(body)
        path = request.path.partition("?")[0]
        cost = self.prices.bound(request.method, path, body, len(data))
        reservation = self.budget.reserve(NAMESPACE, request.model, cost)
        now = await self._ask(request.method, request.path, data)
        usage = usage_of(now.content, stream=now.is_stream)
        if usage is not None and request.model:
            self.budget.settle(reservation, self.prices.cost(request.model, usage))
        return list(differences(cassette.path.name, cassette.replies[0], now))

    async def _ask(self, method: str, path: str, data: bytes) -> RecordedReply:
        anthropic = path.partition("?")[0] in ANTHROPIC_PATHS
        headers = {"content-type": "application/json", "user-agent": "stackproof-check"}
        if anthropic:
            headers["anthropic-version"] = ANTHROPIC_VERSION
        response = await self.forwarder.send(method, path, data, headers, anthropic=anthropic)
        try:
            content = await response.aread()
        finally:
            await response.aclose()
        kind = response.headers.get("content-type", "")
        return RecordedReply(response.status_code, {"content-type": kind}, content)
