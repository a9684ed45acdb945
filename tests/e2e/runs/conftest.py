"""What the user journeys of the runs stack share."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.integration.runs.scenario import Tenant


@pytest.fixture
def tenant(stack: Any, gateway: Any, oracle: Any) -> Iterator[Tenant]:
    """A user with an own part of the gateway, whose runs the oracle watches."""
    with httpx.Client(base_url=stack.url("api"), timeout=30) as http:
        tenant = Tenant(stack, http, oracle, nonce=uuid.uuid4().hex[:12])
        tenant.open_account(gateway.api_key)
        yield tenant


@pytest.fixture
def llm_mode(request: pytest.FixtureRequest) -> str:
    """Who was chosen to answer the model calls."""
    return request.config.getoption("--llm") or "fake"
