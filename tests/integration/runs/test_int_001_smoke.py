"""INT-001: a smoke run completes."""

from dataclasses import replace

import pytest
from tests.integration.runs.scenario import (
    NOT_WITHIN,
    assert_calls,
    assert_database_agrees,
    assert_smoke_run_completed,
)

from stackproof.errors import IllegalHistory, WaitTimeout
from stackproof.oracle import Oracle

pytestmark = pytest.mark.integration


def test_a_smoke_run_completes(stack, gateway, tenant):
    model = tenant.model("smoke")

    run_id = tenant.start("smoke", model)
    run = tenant.wait_for(run_id, "completed")

    assert_smoke_run_completed(run)
    assert_database_agrees(stack, run)
    assert_calls(gateway, model, [200] * 5)
    assert [(event["seq"], event["type"]) for event in tenant.events(run_id)] == [
        (1, "run.queued"),
        (2, "run.started"),
        *((seq, "item.scored") for seq in range(3, 8)),
        (8, "run.completed"),
    ]


def test_without_a_worker_the_smoke_run_is_seen_to_stay_queued(stack, gateway, tenant):
    model = tenant.model("smoke")

    with stack.service("worker").stopped():
        run_id = tenant.start("smoke", model)
        with pytest.raises(WaitTimeout) as caught:
            tenant.wait_for(run_id, "completed", timeout=NOT_WITHIN)
        run = tenant.show(run_id)
        with pytest.raises(AssertionError, match="queued after 0 of 3 attempts with 0 of 5 items"):
            assert_smoke_run_completed(run)
        with pytest.raises(AssertionError, match=f"calls for {model}: \\[\\]"):
            assert_calls(gateway, model, [200] * 5)

    assert f"run {run_id} is completed: not within" in str(caught.value)
    assert "is queued after 0 of 3 attempts with 0 of 5 items done" in str(caught.value)
    assert_smoke_run_completed(tenant.wait_for(run_id, "completed"))
    assert_calls(gateway, model, [200] * 5)


def test_a_run_that_is_opened_again_after_its_end_is_seen_not_to_stay(stack, tenant):
    watched = replace(tenant, oracle=Oracle())
    run_id = watched.start("smoke", watched.model("smoke"))
    watched.wait_for(run_id, "completed")

    set_state = f"update runs set state = '{{}}' where id = '{run_id}'"  # noqa: S608 - an id that the API made
    stack.psql(["-c", set_state.format("running")], service="postgres")
    try:
        with pytest.raises(IllegalHistory, match="completed did not stay: running in API"):
            watched.oracle.settle()
    finally:
        stack.psql(["-c", set_state.format("completed")], service="postgres")
