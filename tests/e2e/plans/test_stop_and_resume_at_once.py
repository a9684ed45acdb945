"""A plan is stopped and resumed without a pause: no stop is lost, no step is done twice."""

import pytest

pytestmark = pytest.mark.e2e

TURNS = 5
A_MOMENT = 0.2  # seconds
ONE_WORKER = pytest.mark.stack("plans")
TWO_WORKERS = pytest.mark.stack("plans", profiles=["two"])


def stop_in_a_step(planner, calls, expected, operator, *, workers):
    """Stop a plan while a step is being asked, and resume it at once, before the answer is there.

    A service may refuse that, since the worker is still busy; then it is asked again and again. One
    that does not refuse must throw the answer away when it comes, even if another worker has begun.
    """
    step = expected.step(5)
    with calls.held(step):
        plan = planner.create()
        calls.wait_for(step)
        assert planner.stop(plan)["stop_requested"] is True
        at_once = planner.resumes_at_once(plan)
        if at_once and workers > 1:
            calls.wait_for(step, count=2)
    if not at_once:
        planner.resume_as_soon_as_possible(plan)
    planner.wait_for_the_end(plan)
    operator.wait_until_settled(plan)
    assert calls.by_step() == calls.once_each(**({step: 2} if at_once else {}))
    assert operator.claims(plan) == 2, "the stop was swallowed"


def stop_again_and_again(planner, calls, expected, operator):
    """Stop and resume a plan without a pause, wherever that meets it: waiting, or in any step."""
    calls.gateway.when().reply(delay=A_MOMENT)
    plan = planner.create()
    for _ in range(TURNS):
        planner.stop(plan)
        if not planner.resume_as_soon_as_possible(plan):
            break  # it was complete before it could be stopped
    planner.wait_for_the_end(plan)
    operator.wait_until_settled(plan)
    assert calls.by_step() == calls.once_each()
    assert operator.claims(plan) <= TURNS + 1


@ONE_WORKER
def test_one_worker_loses_no_stop_in_a_step(planner, calls, expected, operator):
    stop_in_a_step(planner, calls, expected, operator, workers=1)


@TWO_WORKERS
def test_two_workers_do_no_step_twice_after_a_stop_in_a_step(planner, calls, expected, operator):
    stop_in_a_step(planner, calls, expected, operator, workers=2)


@ONE_WORKER
def test_one_worker_bears_many_stops(planner, calls, expected, operator):
    stop_again_and_again(planner, calls, expected, operator)


@TWO_WORKERS
def test_two_workers_bear_many_stops(planner, calls, expected, operator):
    stop_again_and_again(planner, calls, expected, operator)
