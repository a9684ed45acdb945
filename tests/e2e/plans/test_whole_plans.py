"""Scenarios 6-9: whole plans, with the gateway's own answers, recorded ones or real ones.

They hold for every answer that a sound model could give. A plan is stopped in an exact place: the
gateway holds the answer of that step until the stop was asked for.
"""

import httpx
import pytest
from tests.e2e.plans.documents import assert_report_is_whole, assert_zip_is_whole

pytestmark = [pytest.mark.e2e_llm, pytest.mark.stack("plans")]


@pytest.fixture
def stop_at(planner, calls, expected):
    """Stop a plan when so many steps are done: while the last of them is being asked."""

    def stop(begin, share):
        number = expected.step_at(share)
        step = expected.step(number)
        before = calls.by_step()[step]
        with calls.held(step):
            plan = begin()
            calls.wait_for(step, before + 1)
            planner.stop(plan)
        stopped = planner.wait_for(plan, expected.states.stopped)
        assert stopped["steps_completed"] == number, stopped
        return plan

    return stop


@pytest.fixture(autouse=True)
def whoever_was_chosen_has_answered(request, stack):
    """Every model call was answered by whom `--llm` names, where the gateway can be asked."""
    if stack.plan.gateway_service is None:
        yield
        return
    calls = request.getfixturevalue("calls")
    yield
    chosen = request.config.getoption("--llm") or "fake"
    assert {call.source for call in calls.gateway.requests()} == {chosen}


def assert_is_done(planner, plan, expected):
    """A plan is complete, with a whole report and a whole zip."""
    planner.wait_for_the_end(plan)
    assert_report_is_whole(*planner.files(plan, "report"), expected)
    assert_zip_is_whole(*planner.files(plan, "zip"), expected)


def test_a_plan_is_made_and_downloaded(planner, expected):
    plan = planner.create()

    assert_is_done(planner, plan, expected)
    url = planner.mcp.call("plan_file_info", plan_id=plan, artifact="zip")["download_url"]
    assert httpx.get(f"{url}0").status_code == httpx.codes.UNAUTHORIZED


def test_a_plan_goes_on_where_it_was_stopped(planner, calls, expected, stop_at):
    plan = stop_at(planner.create, 0.5)

    assert planner.resume(plan)["resume_count"] == 1
    assert_is_done(planner, plan, expected)
    assert calls.by_step() == calls.once_each(), "a finished step was done again"


def test_a_plan_goes_on_twice(planner, calls, expected, stop_at):
    plan = stop_at(planner.create, 0.3)

    def resume():
        planner.resume(plan)
        return plan

    stop_at(resume, 0.6)
    assert planner.resume(plan)["resume_count"] == 2
    assert_is_done(planner, plan, expected)
    assert calls.by_step() == calls.once_each(), "a finished step was done again"


def test_the_list_shows_plans_with_their_states_and_progress(planner, expected, stop_at):
    done = planner.create()
    planner.wait_for_the_end(done)
    resumed = stop_at(planner.create, 0.5)
    planner.resume(resumed)
    planner.wait_for_the_end(resumed)
    stopped = stop_at(planner.create, 0.3)

    everybodys = planner.mcp.call("plan_list", limit=10)["plans"]

    listed = [one for one in everybodys if one["plan_id"] in {done, resumed, stopped}]
    told = [(one["plan_id"], one["state"], one["progress_percentage"]) for one in listed]
    share = planner.status(stopped)["progress_percentage"]
    assert 0 < share < 100
    assert told == [
        (stopped, expected.states.stopped, share),
        (resumed, expected.states.done, 100),
        (done, expected.states.done, 100),
    ]
    assert all(0 < len(one["prompt_excerpt"]) <= 100 for one in listed)
    assert [one["created_at"] for one in listed] == sorted(
        (one["created_at"] for one in listed), reverse=True
    )
