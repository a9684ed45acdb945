"""A plan is stopped and resumed without a pause: no stop is lost, no step is done twice."""

import pytest

pytestmark = pytest.mark.e2e

TURNS = 4
ONE_WORKER = pytest.mark.stack("plans")
TWO_WORKERS = pytest.mark.stack("plans", profiles=["two"])


def assert_done_once(planner, calls, operator, plan):
    """The plan is complete and stays so, and each step was asked once."""
    planner.wait_for_the_end(plan)
    operator.wait_until_settled(plan)
    assert calls.by_step() == calls.once_each()


def stop_in_a_step(planner, calls, expected, operator):
    """Stop a plan while a step is being asked, and resume it while the answer is on its way."""
    step = expected.step(5)
    with calls.held(step):
        plan = planner.create()
        calls.wait_for(step)
        assert planner.stop(plan)["stop_requested"] is True
    assert planner.resume_as_soon_as_possible(plan)["resume_count"] == 1
    assert_done_once(planner, calls, operator, plan)
    assert operator.events(plan, "claimed") == 2, "the stop was swallowed"


def stop_again_and_again(planner, calls, expected, operator):
    """Stop and resume a plan in whatever moment it is, several times."""
    with calls.held(expected.step(len(expected.steps))):
        plan = planner.create()
        for turn in range(1, TURNS + 1):
            calls.wait_for(expected.step(turn))
            planner.stop(plan)
            assert planner.resume_as_soon_as_possible(plan)["resume_count"] == turn
    assert_done_once(planner, calls, operator, plan)
    # A plan that was stopped while it waited was not claimed for that turn.
    assert 1 < operator.events(plan, "claimed") <= TURNS + 1


@ONE_WORKER
def test_one_worker_loses_no_stop_in_a_step(planner, calls, expected, operator):
    stop_in_a_step(planner, calls, expected, operator)


@TWO_WORKERS
def test_two_workers_do_no_step_twice_after_a_stop_in_a_step(planner, calls, expected, operator):
    stop_in_a_step(planner, calls, expected, operator)


@ONE_WORKER
def test_one_worker_bears_many_stops(planner, calls, expected, operator):
    stop_again_and_again(planner, calls, expected, operator)


@TWO_WORKERS
def test_two_workers_bear_many_stops(planner, calls, expected, operator):
    stop_again_and_again(planner, calls, expected, operator)
