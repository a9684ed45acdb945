"""The provider fails once, always, or slowly."""

import pytest
from tests.e2e.plans.planner import IMPATIENT

pytestmark = pytest.mark.e2e


@pytest.mark.stack("plans")
def test_a_plan_survives_one_failure(planner, calls, expected):
    step = expected.step(3)
    calls.when(step).fail(500, times=1)

    planner.wait_for_the_end(planner.create())

    calls.gateway.assert_fault_reached_app()
    assert calls.by_step() == calls.once_each(**{step: 2})


@pytest.mark.stack("plans")
def test_a_plan_fails_where_the_provider_always_fails_and_goes_on_when_it_is_back(
    planner, calls, expected
):
    step = expected.step(6)
    calls.when(step).fail(503, times=expected.tries)
    plan = planner.create()

    failed = planner.wait_for(plan, expected.states.failed)

    assert failed["error"]["failure_reason"] == "generation_error", failed
    assert failed["error"]["failed_step"] == step, failed
    assert failed["error"]["recoverable"] is True, failed
    assert calls.by_step()[step] == expected.tries
    planner.resume(plan)
    planner.wait_for_the_end(plan)
    assert calls.by_step() == calls.once_each(**{step: expected.tries + 1})


@pytest.mark.stack("plans")
def test_a_key_that_is_refused_is_not_tried_again(planner, calls, expected):
    step = expected.step(1)
    calls.when(step).fail(401)
    plan = planner.create()

    planner.wait_for(plan, expected.states.failed)

    assert calls.by_step() == {step: 1}


@pytest.mark.stack("plans", env=IMPATIENT)
def test_a_slow_answer_is_waited_for_and_a_too_slow_one_is_asked_for_again(
    planner, calls, expected
):
    slow, too_slow = expected.step(2), expected.step(5)
    calls.when(slow).reply(delay=0.5, times=1)
    with calls.held(too_slow):
        plan = planner.create()
        calls.wait_for(too_slow, count=2)

    planner.wait_for_the_end(plan)
    assert calls.by_step() == calls.once_each(**{too_slow: 2})


@pytest.mark.stack("plans")
def test_an_answer_that_is_cut_off_is_asked_for_again(planner, calls, expected):
    step = expected.step(4)
    calls.when(step).reply(cut_after=1, times=1)

    planner.wait_for_the_end(planner.create())

    assert calls.by_step() == calls.once_each(**{step: 2})
