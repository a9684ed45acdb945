"""Two users with keys of their own, at the same time."""

import uuid
from contextlib import closing

import httpx
import pytest
from tests.integration.runs.scenario import (
    Tenant,
    assert_calls,
    assert_failed_by_provider,
    assert_smoke_run_completed,
)

pytestmark = pytest.mark.e2e

MODEL = "one-model"


@pytest.fixture
def neighbours(stack, gateway):
    """Another part of the gateway."""
    with closing(stack.gateway_for(f"{gateway.namespace}-other")) as made:
        yield made


@pytest.fixture
def neighbour(stack, neighbours, oracle):
    """Another user, with an own part of the gateway."""
    with httpx.Client(base_url=stack.url("api"), timeout=30) as http:
        made = Tenant(stack, http, oracle, nonce=uuid.uuid4().hex[:12])
        made.open_account(neighbours.api_key)
        yield made


def test_the_failure_of_one_users_provider_is_not_seen_by_the_other(
    gateway, tenant, neighbours, neighbour
):
    gateway.arm("always-fail")

    unlucky, lucky = tenant.start("smoke", MODEL), neighbour.start("smoke", MODEL)

    assert_smoke_run_completed(neighbour.wait_for(lucky, "completed"))
    assert_failed_by_provider(tenant.wait_for(unlucky, "failed"), message=MODEL)
    assert_calls(neighbours, MODEL, [200] * 5)
    assert_calls(gateway, MODEL, [500] * 3)
