"""What the model calls of each test have cost, and the end of a session whose budget is spent."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import pytest

from stackproof.settings.llm_choice import ASKING

if TYPE_CHECKING:
    from stackproof.artifacts.run import RunArtifacts
    from stackproof.gateway.client import GatewayClient
    from stackproof.gateway.journal_entries import JournalEntry

REQUESTS, TOKENS, USD = "llm_requests", "llm_tokens", "llm_usd"
"""Names under which a test's report and `junit.xml` have them."""


@dataclass(frozen=True)
class CallCosts:
    """The model calls of one test.

    Attributes:
        test: Id of the test.
        namespace: Its part of the gateway.
        requests: How many calls there were.
        failed: How many of them were answered with an error.
        prompt_tokens: Tokens of the requests, as the answers tell.
        completion_tokens: Tokens of the answers.
        usd: US dollars that the real provider was paid.
        latency_ms: Milliseconds that the calls took in all.
        slowest_ms: Milliseconds of the slowest one.
    """

    test: str
    namespace: str
    requests: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    usd: float
    latency_ms: float
    slowest_ms: float


def costs_of(test: str, namespace: str, calls: Sequence[JournalEntry]) -> CallCosts:
    """What calls have cost, summed up."""
    return CallCosts(
        test,
        namespace,
        requests=len(calls),
        failed=sum(one.status >= 400 for one in calls),  # noqa: PLR2004 - HTTP's
        prompt_tokens=sum(one.usage.get("prompt_tokens", 0) for one in calls),
        completion_tokens=sum(one.usage.get("completion_tokens", 0) for one in calls),
        usd=sum(one.usd or 0.0 for one in calls),
        latency_ms=round(sum(one.latency_ms for one in calls), 3),
        slowest_ms=max((one.latency_ms for one in calls), default=0.0),
    )


def note_calls(item: pytest.Item, gateway: GatewayClient, known: list[CallCosts]) -> None:
    """Note what a test's calls have cost; end the session if the budget is spent.

    Args:
        item: The test.
        gateway: Its part of the gateway.
        known: Takes the costs.
    """
    with contextlib.suppress(Exception):  # the gateway may be what has failed
        costs = costs_of(item.nodeid, gateway.namespace, gateway.requests())
        known.append(costs)
        item.user_properties += [
            (REQUESTS, costs.requests),
            (TOKENS, costs.prompt_tokens + costs.completion_tokens),
            (USD, round(costs.usd, 9)),
        ]
        if item.config.getoption("--llm") in ASKING:
            bill = gateway.bill()
            if bill["spent"]:
                item.session.shouldstop = f"{bill['spent']} Spent so far: ${bill['usd']}"


def write_costs(artifacts: RunArtifacts | None, known: Sequence[CallCosts]) -> None:
    """Write what each test's calls have cost to `llm-costs.json`; one file a test process."""
    if artifacts is None or not any(one.requests for one in known):
        return
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    name = f"llm-costs-{worker}.json" if worker else "llm-costs.json"
    artifacts.write_json(name, [asdict(one) for one in known if one.requests])


def costs_line(properties: Sequence[dict[str, object]]) -> list[str]:
    """The sum as a line; none where no test has called a model.

    Args:
        properties: The user properties of each test's report.
    """
    calling = [one for one in properties if one.get(REQUESTS)]
    if not calling:
        return []
    requests, tokens, usd = (
        sum(float(str(one[name])) for one in calling) for name in (REQUESTS, TOKENS, USD)
    )
    tests = "1 test" if len(calling) == 1 else f"{len(calling)} tests"
    return [f"model calls: {requests:.0f} in {tests}, {tokens:.0f} tokens, ${usd:.6f}"]
