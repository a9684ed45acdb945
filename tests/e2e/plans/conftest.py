"""What the scenarios of the plans stack share: each has a stack of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e.plans import expectations
from tests.e2e.plans.expectations import Expectations
from tests.e2e.plans.mcp_client import McpClient
from tests.e2e.plans.operator_view import Operator
from tests.e2e.plans.planner import Planner
from tests.e2e.plans.provider_calls import ProviderCalls

from stackproof.oracle import Oracle


@pytest.fixture(scope="session")
def expected() -> Expectations:
    """What this revision of the service is like."""
    return expectations.load()


@pytest.fixture
def planner(stack: Any, oracle: Oracle, expected: Expectations) -> Iterator[Planner]:
    """A user of the service."""
    client = McpClient(stack.url(expected.service), expected.protocol)
    client.initialize()
    yield Planner(stack, client, oracle, expected)
    client.close()


@pytest.fixture
def calls(stack: Any, expected: Expectations) -> ProviderCalls:
    """The model calls of the service."""
    stack.gateway.reset()  # an attached one has served other tests
    return ProviderCalls(stack.gateway, expected)


@pytest.fixture
def operator(stack: Any, oracle: Oracle, expected: Expectations) -> Operator:
    """Somebody with access to the database."""
    return Operator(stack, oracle, expected)
