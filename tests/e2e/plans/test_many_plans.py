"""Twenty plans at once, three workers: each step of each plan is asked exactly once."""

import pytest

pytestmark = pytest.mark.e2e

PLANS = 20


@pytest.mark.stack("plans", profiles=["three"])
def test_three_workers_do_each_step_of_twenty_plans_once(planner, calls, expected, operator):
    prompts = [f"Plan number {number} of {PLANS}." for number in range(1, PLANS + 1)]
    plans = [planner.create(prompt) for prompt in prompts]

    for plan in plans:
        planner.wait_for(plan, expected.states.done)

    assert calls.by_prompt_and_step() == {
        (prompt, step): 1 for prompt in prompts for step in expected.steps
    }
    assert {operator.claims(plan) for plan in plans} == {1}
    listed = planner.mcp.call("plan_list", limit=PLANS)["plans"]
    assert {one["plan_id"] for one in listed} == set(plans)
    states = {one["state"] for one in listed}
    assert states == {expected.states.done}
