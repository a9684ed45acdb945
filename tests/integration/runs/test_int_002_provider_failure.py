"""INT-002: the failure of a provider surfaces."""

import pytest
from tests.integration.runs.scenario import (
    assert_calls,
    assert_database_agrees,
    assert_failed_by_provider,
    assert_smoke_run_completed,
)

pytestmark = pytest.mark.integration


def test_a_provider_that_always_fails_ends_the_run_and_no_other(stack, gateway, tenant, beat):
    broken, sound = tenant.model("x-always-fail"), tenant.model("smoke")

    before = tenant.start("smoke", sound)
    run_id = tenant.start("smoke", broken)
    run = tenant.wait_for(run_id, "failed")
    after = tenant.start("smoke", sound)

    assert_failed_by_provider(run, message=broken)
    assert run["attempts"] == 3
    assert run["error"]["status"] == 500
    assert run["totals"] == {"items": 5, "done": 0, "correct": 0}
    assert_database_agrees(stack, run)
    assert_calls(gateway, broken, [500] * 3)
    gateway.assert_fault_reached_app(model=broken)
    assert [event["type"] for event in tenant.events(run_id)] == [
        "run.queued",
        *["run.started", "run.retry_scheduled"] * 2,
        "run.started",
        "run.failed",
    ]
    for other in (before, after):
        assert_smoke_run_completed(tenant.wait_for(other, "completed"))
    assert_calls(gateway, sound, [200] * 10)


def test_a_gateway_that_is_down_is_not_taken_for_the_provider_s_own_error(
    stack, gateway, tenant, beat
):
    broken, sound = tenant.model("x-always-fail"), tenant.model("smoke")

    with stack.service("fake-openai").stopped():
        run = tenant.wait_for(tenant.start("smoke", broken), "failed")

    with pytest.raises(AssertionError) as caught:
        assert_failed_by_provider(run, message=broken)
    assert f"not the provider's error '{broken}'" in str(caught.value)
    assert "is failed after 3 of 3 attempts with 0 of 5 items done" in str(caught.value)
    assert "Connection error" in str(caught.value)
    with pytest.raises(AssertionError, match="calls for"):
        assert_calls(gateway, broken, [500] * 3)
    assert_smoke_run_completed(tenant.wait_for(tenant.start("smoke", sound), "completed"))
    assert_calls(gateway, sound, [200] * 5)
