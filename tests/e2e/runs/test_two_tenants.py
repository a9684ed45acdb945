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

from stackproof.gateway.client import GatewayClient

pytestmark = pytest.mark.e2e

MODEL = "one-model"


def test_the_failure_of_one_users_provider_is_not_seen_by_the_other(running_stack, gateway, tenant):
    gateway.arm("always-fail")
    with (
        httpx.Client(base_url=running_stack.url("api"), timeout=30) as http,
        closing(GatewayClient(gateway.base_url, f"{gateway.namespace}-other")) as neighbours,
    ):
        neighbour = Tenant(http, nonce=uuid.uuid4().hex[:12])
        neighbour.open_account(neighbours.api_key)

        unlucky, lucky = tenant.start("smoke", MODEL), neighbour.start("smoke", MODEL)

        assert_smoke_run_completed(neighbour.wait_for(lucky, "completed"))
        assert_failed_by_provider(tenant.wait_for(unlucky, "failed"), message=MODEL)
        assert_calls(neighbours, MODEL, [200] * 5)
        assert_calls(gateway, MODEL, [500] * 3)
