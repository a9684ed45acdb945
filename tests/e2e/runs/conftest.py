"""What the user journeys of the runs stack share."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.integration.runs.scenario import Tenant


@pytest.fixture
def tenant(running_stack: Any, gateway: Any) -> Iterator[Tenant]:
    """A user whose provider calls go to this test's own part of the gateway."""
    with httpx.Client(base_url=running_stack.url("api"), timeout=30) as http:
        tenant = Tenant(http, nonce=uuid.uuid4().hex[:12])
        tenant.open_account(gateway.api_key)
        yield tenant


@pytest.fixture
def llm_mode(request: pytest.FixtureRequest) -> str:
    """Who was chosen to answer the model calls."""
    return request.config.getoption("--llm") or "fake"
