"""Whether the provider still answers in the form that was recorded.

Compared are forms: which fields there are, and of which type. A field that is gone or has another
type breaks what reads it; a new one, and a text that is another one, are only told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from stackproof_gateway.apis import ANTHROPIC, api_of, is_upload
from stackproof_gateway.encoding import event_values, to_bytes, value_or
from stackproof_gateway.provider.budget import Budget
from stackproof_gateway.provider.cassettes import Cassette, RecordedReply
from stackproof_gateway.provider.forwarding import Forwarder
from stackproof_gateway.provider.prices import PriceTable
from stackproof_gateway.provider.stream_masking import texts_of
from stackproof_gateway.provider.usage import usage_of

NAMESPACE = "check"
ANTHROPIC_VERSION = "2023-06-01"
NO_JSON = "no JSON"
LONGEST = 60
"""Letters of a text that are shown."""


REMOVED, TYPE_CHANGED, ADDED, TEXT_ONLY = TIERS = ("removed", "type changed", "added", "text only")
"""How much a difference matters, the worst first; the first two break what reads the answer."""

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
        text_only: Whether the form is the same, and what the answer says is not.
    """

    cassette: str
    field: str
    recorded: str
    now: str
    text_only: bool = False

    @property
    def tier(self) -> str:
        """How much it matters."""
        if self.text_only:
            return TEXT_ONLY
        if not self.recorded:
            return ADDED
        return TYPE_CHANGED if self.now else REMOVED

    @property
    def breaking(self) -> bool:
        """Whether it breaks what reads the answer."""
        return self.tier in {REMOVED, TYPE_CHANGED}

    def __str__(self) -> str:
        before, now = self.recorded or "not there", self.now or "not there"
        return f"{self.cassette}: {self.field}: {before} -> {now} ({self.tier})"


def status_of(drifts: Iterable[Drift]) -> tuple[str, int]:
    """The last line of a check, and its exit status: 1 if a difference breaks what reads it."""
    counts = Counter(drift.tier for drift in drifts)
    worst = next((tier for tier in TIERS if counts[tier]), "unchanged")
    told = ", ".join(f"{counts[tier]} {tier}" for tier in TIERS)
    return f"check: {worst} ({told})", int(worst in {REMOVED, TYPE_CHANGED})


def shape_of(content: bytes, *, stream: bool) -> Shape:
    """The form of an answer.

    Args:
        content: The answer.
        stream: Whether it is a stream of events.
    """
    found: dict[str, set[str]] = {}
    if stream:
        for value in event_values(content, NO_JSON):
            _collect(value, "event", found)
    else:
        _collect(value_or(content, NO_JSON), "body", found)
    return {path: frozenset(kinds) for path, kinds in found.items()}


def _said(reply: RecordedReply) -> str:
    """What an answer says in words; of a stream, the pieces joined."""
    values = (
        event_values(reply.content, NO_JSON)
        if reply.is_stream
        else [value_or(reply.content, NO_JSON)]
    )
    pieces: dict[object, list[str]] = {}
    for value in values:
        for path, text in texts_of(value):
            pieces.setdefault(path, []).append(text)
    return "\n".join("".join(texts) for texts in pieces.values())


def _short(text: str) -> str:
    return ascii(text if len(text) <= LONGEST else text[: LONGEST - 3] + "...")


def _collect(value: Any, path: str, found: dict[str, set[str]]) -> None:
    found.setdefault(path, set()).add(_kind(value))
    if isinstance(value, dict):
        variant = value.get("type")
        name = f"{path}<{variant}>" if isinstance(variant, str) else path
        for key, below in value.items():
            _collect(below, f"{name}.{key}", found)
    elif isinstance(value, list):
        for item in value[:50]:
            _collect(item, f"{path}[]", found)


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
    found = list(_of_form(name, before, after))
    said, says = _said(recorded), _said(now)
    if not found and said != says:
        found = [Drift(name, "text", _short(said), _short(says), text_only=True)]
    yield from found


def _of_form(name: str, before: Shape, after: Shape) -> Iterator[Drift]:
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
        path = request.path.partition("?")[0]
        if request.method == "POST" and (body is None or is_upload(path)):
            return []  # an upload: its bytes were not kept
        data = b"" if body is None else to_bytes(body)
        cost = self.prices.bound(request.method, path, body, len(data))
        reservation = self.budget.reserve(NAMESPACE, request.model, cost)
        now = await self._ask(request.method, request.path, data)
        usage = usage_of(now.content, stream=now.is_stream)
        if usage is not None and request.model:
            self.budget.settle(reservation, self.prices.cost(request.model, usage))
        return list(differences(cassette.path.name, cassette.replies[0], now))

    async def _ask(self, method: str, path: str, data: bytes) -> RecordedReply:
        api = api_of(path.partition("?")[0], {})
        headers = {"content-type": "application/json", "user-agent": "stackproof-check"}
        if api == ANTHROPIC:
            headers["anthropic-version"] = ANTHROPIC_VERSION
        response = await self.forwarder.send(method, path, data, headers, api)
        try:
            content = await response.aread()
        finally:
            await response.aclose()
        kind = response.headers.get("content-type", "")
        return RecordedReply(response.status_code, {"content-type": kind}, content)
