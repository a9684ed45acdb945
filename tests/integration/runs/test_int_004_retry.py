"""INT-004: a transient failure is retried, by beat and by nobody else."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.runs.scenario import (
    DONE_WITHIN,
    NOT_WITHIN,
    NotYet,
    assert_calls,
    assert_database_agrees,
    assert_smoke_run_completed,
    describe,
)

from stackproof import wait_until
from stackproof.errors import WaitTimeout

pytestmark = pytest.mark.integration

MANY_TICKS = timedelta(seconds=2)  # beat would have ticked four times


def assert_retried_once(stack, gateway, tenant, run):
    assert_smoke_run_completed(run, attempts=2)
    assert_database_agrees(stack, run)
    assert_calls(gateway, run["model"], [500] + [200] * 5)
    gateway.assert_fault_reached_app(model=run["model"])
    trail = tenant.events(run["id"])
    assert [(event["type"], event["payload"].get("attempt")) for event in trail] == [
        ("run.queued", None),
        ("run.started", 1),
        ("run.retry_scheduled", 1),
        ("run.started", 2),
        *[("item.scored", 2)] * 5,
        ("run.completed", None),
    ]
    assert run["model"] in trail[2]["payload"]["error"]["message"]


def test_beat_dispatches_the_retry_of_a_failed_attempt(stack, gateway, tenant, beat):
    run_id = tenant.start("smoke", tenant.model("x-fail-once"))

    run = tenant.wait_for(run_id, "completed")

    assert_retried_once(stack, gateway, tenant, run)
    dispatched = [
        line
        for line in stack.service("worker").logs(tail=500).splitlines()
        if f"run {run_id}: dispatched" in line
    ]
    assert len(dispatched) == 1


def test_without_beat_the_retry_stays_pending_visibly(stack, gateway, tenant, beat):
    model = tenant.model("x-fail-once")

    with beat.stopped():
        run_id = tenant.start("smoke", model)
        due = datetime.fromisoformat(tenant.wait_for(run_id, "retry_scheduled")["retry_at"])

        def long_overdue():
            run = tenant.show(run_id)
            assert (run["state"], run["attempts"]) == ("retry_scheduled", 1), describe(run)
            return run if datetime.now(UTC) > due + MANY_TICKS else NotYet(describe(run))

        pending = wait_until(long_overdue, timeout=DONE_WITHIN, what="the retry is long overdue")
        assert pending["retry_overdue"]
        assert pending["totals"]["done"] == 0
        assert model in pending["error"]["message"]
        assert_database_agrees(stack, pending)
        assert_calls(gateway, model, [500])

    assert_retried_once(stack, gateway, tenant, tenant.wait_for(run_id, "completed"))


def test_without_a_worker_the_retry_is_seen_not_to_happen(stack, gateway, tenant, beat):
    worker = stack.service("worker")
    with beat.stopped():
        run_id = tenant.start("smoke", tenant.model("x-fail-once"))
        tenant.wait_for(run_id, "retry_scheduled")
        worker.stop()
    try:
        with pytest.raises(WaitTimeout) as caught:
            tenant.wait_for(run_id, "completed", timeout=NOT_WITHIN)
        with pytest.raises(AssertionError, match="retry_scheduled after 1 of 3 attempts"):
            assert_retried_once(stack, gateway, tenant, tenant.show(run_id))
    finally:
        worker.start()

    assert "is retry_scheduled after 1 of 3 attempts with 0 of 5 items" in str(caught.value)
    assert "(overdue)" in str(caught.value)
    assert_retried_once(stack, gateway, tenant, tenant.wait_for(run_id, "completed"))
