"""A worker dies, freezes or is told to end in the middle of a step: nothing is stuck, or twice."""

import pytest
from tests.e2e.plans.planner import IMPATIENT

from stackproof import wait_until

pytestmark = pytest.mark.e2e

PICKED_UP_WITHIN = 60.0  # seconds


@pytest.mark.stack("plans")
def test_a_plan_goes_on_after_its_worker_was_killed(stack, planner, calls, expected, operator):
    step = expected.step(6)
    with calls.held(step):
        plan = planner.create()
        calls.wait_for(step)
        stack.service(operator.worker_of(plan)).kill()
        calls.wait_for(step, count=2)

    planner.wait_for_the_end(plan)
    assert calls.by_step() == calls.once_each(**{step: 2})
    assert operator.losses(plan) == 1


@pytest.mark.stack("plans")
def test_a_plan_goes_on_after_its_worker_was_told_to_end(stack, planner, calls, expected, operator):
    step = expected.step(3)
    with calls.held(step):
        plan = planner.create()
        calls.wait_for(step)
        worker = stack.service(operator.worker_of(plan))
        worker.kill("SIGTERM")

    planner.wait_for_the_end(plan)
    assert calls.by_step() == calls.once_each()
    assert operator.losses(plan) == 0


@pytest.mark.stack("plans", profiles=["two"])
def test_a_frozen_worker_comes_back_and_harms_nothing(stack, planner, calls, expected, operator):
    frozen_in, taken_over_until = expected.step(4), expected.step(7)
    with calls.held(taken_over_until):
        with calls.held(frozen_in):
            plan = planner.create()
            calls.wait_for(frozen_in)
            late = operator.worker_of(plan)
            stack.service(late).pause()
            calls.wait_for(taken_over_until)
            before = planner.status(plan)
        stack.service(late).unpause()
        operator.wait_until_worker_rests(late)

        after = planner.status(plan)
        assert after["steps_completed"] == before["steps_completed"], after
        assert after["files"] == before["files"], "the worker that came back has written"
        assert calls.by_step()[taken_over_until] == 1

    planner.wait_for_the_end(plan)
    assert calls.by_step() == calls.once_each(**{frozen_in: 2})
    assert operator.claims(plan) == 2


@pytest.mark.stack("plans", env=IMPATIENT)
def test_a_plan_fails_that_no_worker_takes_over(stack, planner, calls, expected, operator):
    step = expected.step(4)
    with calls.held(step):
        plan = planner.create()
        calls.wait_for(step)
        stack.service(expected.workers[0]).pause()
        failed = planner.wait_for(plan, expected.states.failed)
        assert failed["error"]["failure_reason"] == "inactivity_timeout", failed
        assert failed["error"]["recoverable"] is True, failed
    stack.service(expected.workers[0]).unpause()
    operator.wait_until_worker_rests(expected.workers[0])

    assert planner.status(plan)["steps_completed"] == failed["steps_completed"]
    planner.resume(plan)
    planner.wait_for_the_end(plan)
    assert calls.by_step() == calls.once_each(**{step: 2})


@pytest.mark.stack("plans")
def test_a_plan_is_stopped_whose_worker_is_frozen(stack, planner, calls, expected):
    step = expected.step(2)
    with calls.held(step):
        plan = planner.create()
        calls.wait_for(step)
        stack.service(expected.workers[0]).pause()
        planner.stop(plan)
        stopped = planner.wait_for(plan, expected.states.stopped)
    planner.resume(plan)
    waiting = planner.status(plan)
    assert waiting["state"] == expected.states.waiting, waiting
    assert waiting["progress_percentage"] == stopped["progress_percentage"], waiting
    stack.service(expected.workers[0]).unpause()

    planner.wait_for_the_end(plan)
    assert calls.by_step() == calls.once_each(**{step: 2})


@pytest.mark.stack("plans")
def test_a_plan_goes_on_after_the_database_was_restarted(stack, planner, calls, expected):
    step = expected.step(5)
    with calls.held(step):
        plan = planner.create()
        calls.wait_for(step)
        stack.service(expected.database).restart()

    planner.wait_for_the_end(plan)
    assert calls.by_step() == calls.once_each()


@pytest.mark.stack("plans")
def test_a_plan_goes_on_after_the_database_was_away(stack, planner, calls, expected):
    step = expected.step(5)
    with calls.held(step):
        plan = planner.create()
        calls.wait_for(step)
        database = stack.service(expected.database)
        database.stop()
    wait_until(
        lambda: calls.by_step(status=200)[step] == 1,
        timeout=PICKED_UP_WITHIN,
        what="the worker has its answer, and nowhere to keep it",
    )
    database.start()

    planner.wait_for_the_end(plan)
    assert calls.by_step() == calls.once_each()
