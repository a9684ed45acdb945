"""What the model calls of each test have cost, and the end of a session whose budget is spent."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pytest

from stackproof.errors import StackproofError
from stackproof.pytest_plugin.model_calls import calls_without_namespace
from stackproof.pytest_plugin.used import GATEWAYS

if TYPE_CHECKING:
    from stackproof.artifacts.run import RunArtifacts
    from stackproof.stack.running import Stack
    from stackproof_gateway.client import GatewayClient
    from stackproof_gateway.journal_entries import JournalEntry

REQUESTS, TOKENS, USD = "llm_requests", "llm_tokens", "llm_usd"
"""Names under which a test's report and `junit.xml` have them."""

REPLAYED = re.compile(r"\S+\.yaml, reply \d+")
"""What the journal says of a call that was answered from a recording."""


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
        replayed: How many of them were answered from recordings.
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
    replayed: int = 0


def costs_of(test: str, namespace: str, calls: Sequence[JournalEntry]) -> CallCosts:
    """What calls have cost, summed up."""
    return CallCosts(
        test,
        namespace,
        requests=len(calls),
        failed=sum(call.status >= 400 for call in calls),  # noqa: PLR2004 - HTTP's
        prompt_tokens=sum(call.usage.get("prompt_tokens", 0) for call in calls),
        completion_tokens=sum(call.usage.get("completion_tokens", 0) for call in calls),
        usd=sum(call.usd or 0.0 for call in calls),
        latency_ms=round(sum(call.latency_ms for call in calls), 3),
        slowest_ms=max((call.latency_ms for call in calls), default=0.0),
        replayed=sum(bool(REPLAYED.fullmatch(call.reply)) for call in calls),
    )


def require_asked(item: pytest.Item) -> None:
    """Fail a test of a replay that did not ask what it asked when it was recorded.

    Args:
        item: A test whose call has passed.
    """
    client = item.config.stash[GATEWAYS].get(item.nodeid)
    if client is None or item.config.getoption("--llm") != "replay":
        return
    from stackproof.settings.llm_choice import ALLOW_UNUSED

    missed = [] if os.environ.get(ALLOW_UNUSED) else client.missed_recordings()
    if missed:
        error = StackproofError(
            "the test passed without model calls that were recorded of it",
            observed=f"not asked: {', '.join(missed)}",
            remedy="record the test again if it needs them no more, and remove these files; or "
            "allow it: --allow-unused",
        )
        raise pytest.fail.Exception(str(error), pytrace=False)


def note_calls(item: pytest.Item, gateway: GatewayClient, known: list[CallCosts]) -> None:
    """Note what the calls of a test's namespace have cost; end the session if the budget is spent.

    Args:
        item: The test.
        gateway: Its part of the gateway.
        known: Takes the costs.
    """
    with contextlib.suppress(Exception):  # the gateway may be what has failed
        _note(item, gateway, gateway.requests(), known)


def note_default_calls(item: pytest.Item, stack: Stack, known: list[CallCosts]) -> None:
    """Note what the calls without a namespace have cost, in the isolated stack of a test.

    Args:
        item: The test.
        stack: The stack.
        known: Takes the costs.
    """
    calls = calls_without_namespace(item, stack)
    if calls:
        with contextlib.suppress(Exception):
            _note(item, stack.gateway, calls, known)


def _note(
    item: pytest.Item,
    gateway: GatewayClient,
    calls: Sequence[JournalEntry],
    known: list[CallCosts],
) -> None:
    from stackproof.settings.llm_choice import ASKING

    costs = costs_of(item.nodeid, gateway.namespace, calls)
    known.append(costs)
    noted: dict[str, Any] = dict(item.user_properties)
    told = {
        REQUESTS: costs.requests,
        TOKENS: costs.prompt_tokens + costs.completion_tokens,
        USD: round(costs.usd, 9),
    }
    others = [entry for entry in item.user_properties if entry[0] not in told]
    sums = [(name, value + noted.get(name, 0)) for name, value in told.items()]
    item.user_properties[:] = [*others, *sums]
    if item.config.getoption("--llm") in ASKING:
        bill = gateway.bill()
        if bill["spent"]:
            item.session.shouldstop = f"{bill['spent']} Spent so far: ${bill['usd']}"


def write_costs(artifacts: RunArtifacts | None, known: Sequence[CallCosts]) -> None:
    """Write what each test's calls have cost to `llm-costs.json`; one file a test process."""
    if artifacts is None or not any(costs.requests for costs in known):
        return
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    name = f"llm-costs-{worker}.json" if worker else "llm-costs.json"
    artifacts.write_json(name, [asdict(costs) for costs in known if costs.requests])


def costs_line(properties: Sequence[dict[str, object]]) -> list[str]:
    """The sum as a line; none where no test has called a model.

    Args:
        properties: The user properties of each test's report.
    """
    calling = [property_ for property_ in properties if property_.get(REQUESTS)]
    if not calling:
        return []
    requests, tokens, usd = (
        sum(float(str(costs[name])) for costs in calling) for name in (REQUESTS, TOKENS, USD)
    )
    tests = "1 test" if len(calling) == 1 else f"{len(calling)} tests"
    return [f"model calls: {requests:.0f} in {tests}, {tokens:.0f} tokens, ${usd:.6f}"]
