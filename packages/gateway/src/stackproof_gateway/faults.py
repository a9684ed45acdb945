"""Faults by the name of the model, by path, by key, or armed by a test.

Words between hyphens, anywhere in a name: how often (`fail-once`, `fail-3`, `always-fail`), how
(`http429`, `cut`, `eof`, `slow`, `slow-5s`; a status 500 if nothing is said), and which unit is to
fail (`surface`, `attempt`, `call`). What follows the last word is the nonce: a namespace.

A plain status 500 is tried again by the clients themselves, so a fault says what it is meant to
hit. `surface`: the application; `x-should-retry: false` forbids the client to try again (measured
with the openai client, LiteLLM and anthropic). `attempt`: one try, which the client should absorb.
`call`: every try of one call, told by the client's `x-stainless-retry-count`.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from stackproof_gateway.errors import ProviderError

NO_RETRY = {"x-should-retry": "false"}
SLOW_SECONDS = 2.0
UNITS = ("surface", "attempt", "call")
WORDS = (
    "join by hyphens: fail-once, fail-N or always-fail; http429, cut, eof, slow or slow-5s; "
    "surface, attempt or call"
)
TOO_MANY_REQUESTS = 429
FIRST_SERVER_ERROR = 500

_FAULT = r"(?:fail-once|always-fail|fail-\d{1,3}|http[45]\d\d|slow(?:-\d{1,6}m?s)?|cut|eof)"
_UNIT = r"(?:surface|attempt|call)"
_WORD = re.compile(rf"{_FAULT}|{_UNIT}")
_RUN = re.compile(rf"(?:^|(?<=-)){_FAULT}(?:-(?:{_FAULT}|{_UNIT}))*(?=-|$)")
_KINDS = {TOO_MANY_REQUESTS: "rate_limit_error", 401: "authentication_error",
          403: "permission_error"}  # fmt: skip


@dataclass(frozen=True)
class FaultSpec:
    """What is to go wrong.

    Attributes:
        kind: Its words, such as `fail-once` or `fail-2-http429`.
        times: How often; None for each time.
        manner: `status`, `cut`, `eof` or `slow`.
        status: HTTP status, where the manner is `status`.
        unit: `surface`, `attempt` or `call`.
        seconds: Pause before it.
        nonce: What follows the words in a model's name.
    """

    kind: str
    times: int | None = None
    manner: str = "status"
    status: int = FIRST_SERVER_ERROR
    unit: str = "surface"
    seconds: float = 0.0
    nonce: str = ""


@dataclass  # as a prompt is not frozen
class Facts:
    """What a call shows of itself before it is answered.

    Attributes:
        model: Model that was asked for.
        path: Path without prefixes.
        key: The client's API key.
        digest: Names the content of the request.
        retry_count: The client's own count of tries before this one.
        stream: Whether a stream was asked for.
        spec: The fault of the base URL or key, if it has one.
    """

    model: str
    path: str
    key: str
    digest: str
    retry_count: int | None
    stream: bool = False
    spec: FaultSpec | None = None


@dataclass(frozen=True)
class ArmedFault:
    """A fault that a test has armed: for some path, key and model, `*` and `?` allowed."""

    identity: str
    spec: FaultSpec
    path: str = "*"
    key: str = "*"
    model: str = "*"

    def fits(self, facts: Facts) -> bool:
        """Whether a call is one of those it is armed for."""
        pairs = ((facts.path, self.path), (facts.key, self.key), (facts.model, self.model))
        return all(fnmatchcase(value, pattern) for value, pattern in pairs)


@dataclass(frozen=True)
class Fault:
    """A failure that is to be answered now.

    Attributes:
        spec: What is to go wrong.
        number: How often it has happened, this time included.
        model: The model that was asked for.
    """

    spec: FaultSpec
    number: int
    model: str

    def to_json(self, retry_count: int | None) -> dict[str, str]:
        """What the journal says of it at first."""
        sure = self.spec.unit == "surface" or retry_count is not None
        reached = "reached" if sure else "unknown"
        return {"kind": self.spec.kind, "unit": self.spec.unit, "reached_app": reached}

    @property
    def error(self) -> ProviderError:
        """The answer of a fault that is a status."""
        status, model = self.spec.status, self.model or "-"
        headers = dict(NO_RETRY) if self.spec.unit == "surface" else {}
        if status == TOO_MANY_REQUESTS:
            headers["retry-after"] = "1"
        kind = "server_error" if status >= FIRST_SERVER_ERROR else "invalid_request_error"
        kind = _KINDS.get(status, kind)
        code = "rate_limit_exceeded" if kind == "rate_limit_error" else None
        message = (
            f"The model {model} failed on purpose with status {status} "
            f"({self.spec.kind}, failure {self.number})."
        )
        return ProviderError(status, message, kind=kind, code=code, headers=headers)


@dataclass
class FaultState:
    """The faults of one namespace.

    Attributes:
        armed: Faults that tests have armed, oldest first.
        counts: How often each has failed so far.
        failing_calls: Calls of which every try is to fail, by digest.
    """

    armed: list[ArmedFault] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    failing_calls: dict[str, Fault] = field(default_factory=dict)

    def next_fault(self, facts: Facts) -> Fault | None:
        """The fault of this call, claimed at once; None if the call is to succeed."""
        if facts.retry_count and facts.digest in self.failing_calls:
            return self.failing_calls[facts.digest]
        for key, spec in self._candidates(facts):
            if spec.times is not None and self.counts[key] >= spec.times:
                continue
            self.counts[key] += 1
            fault = Fault(spec, self.counts[key], facts.model)
            if _spans_tries(spec, facts):
                self.failing_calls[facts.digest] = fault
            return fault
        return None

    def may_fail(self, model: str, spec: FaultSpec | None) -> bool:
        """Whether a call can have a fault at all; most can't, and that is quickly said.

        Args:
            model: Model that was asked for.
            spec: The fault of the base URL or key, if it has one.
        """
        return bool(spec or self.armed or self.failing_calls or of_model(model))

    def disarm(self, armed: ArmedFault) -> None:
        """Forget an armed fault, also for calls of which every try was to fail."""
        if armed in self.armed:
            self.armed.remove(armed)
        self.failing_calls = {
            digest: fault
            for digest, fault in self.failing_calls.items()
            if fault.spec is not armed.spec
        }

    def _candidates(self, facts: Facts) -> list[tuple[str, FaultSpec]]:
        found = [(armed.identity, armed.spec) for armed in self.armed if armed.fits(facts)]
        if facts.spec is not None:
            found.append((f"address {facts.spec.kind} {facts.path}", facts.spec))
        named = of_model(facts.model)
        if named is not None:
            found.append((f"model {facts.model}", named))
        return found

    def to_json(self) -> list[dict[str, Any]]:
        """The armed faults as plain values."""
        return [
            {"id": armed.identity, "fault": armed.spec.kind, "unit": armed.spec.unit,
             "path": armed.path, "model": armed.model, "times": armed.spec.times,
             "failures": self.counts[armed.identity]}
            for armed in self.armed
        ]  # fmt: skip


def _spans_tries(spec: FaultSpec, facts: Facts) -> bool:
    """Whether all tries of the call are to fail: a client retries a cut plain answer by itself."""
    if facts.retry_count is None or spec.times is None:
        return False
    return spec.unit == "call" or (
        spec.unit == "surface" and spec.manner == "cut" and not facts.stream
    )


def parse(name: str) -> FaultSpec | None:
    """The fault that a name asks for; None if it asks for none."""
    run = _RUN.search(name)
    if run is None:
        return None
    words = _WORD.findall(run[0])
    spec: dict[str, Any] = {}
    for word in words:
        spec.update({"unit": word} if word in UNITS else _meaning(word))
    if "seconds" in spec:
        spec.setdefault("manner", "slow")
    kind = "-".join(word for word in words if word not in UNITS)
    return FaultSpec(kind, nonce=name[run.end() :].lstrip("-"), **spec)


@lru_cache
def of_model(name: str) -> FaultSpec | None:
    """The same for the name of a model, of which each call looks for one."""
    return parse(name)


def parse_exactly(words: str) -> FaultSpec | None:
    """The fault of a text that holds fault words and nothing else; None if it is no such text."""
    return parse(words) if _RUN.fullmatch(words) else None


def _meaning(word: str) -> dict[str, Any]:
    if word == "fail-once":
        return {"times": 1}
    if word == "always-fail":
        return {"times": None}
    if word.startswith("fail-"):
        return {"times": int(word.removeprefix("fail-"))}
    if word.startswith("http"):
        return {"manner": "status", "status": int(word.removeprefix("http"))}
    if word.startswith("slow"):
        return {"seconds": _seconds(word.removeprefix("slow").lstrip("-"))}
    return {"manner": word}


def _seconds(text: str) -> float:
    if not text:
        return SLOW_SECONDS
    if text.endswith("ms"):
        return int(text.removesuffix("ms")) / 1000
    return float(text.removesuffix("s"))
