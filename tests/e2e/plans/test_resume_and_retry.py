"""Scenarios 1-5: who may go on with a stopped plan, and with what."""

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.stack("plans")]

HALF = 0.5


@pytest.fixture
def stopped_at_half(planner, calls, expected):
    """A plan that was stopped in the middle, and its finished steps."""
    number = expected.step_at(HALF)
    with calls.held(expected.step(number)):
        plan = planner.create()
        calls.wait_for(expected.step(number))
        planner.stop(plan)
    planner.wait_for(plan, expected.states.stopped)
    return plan


def test_a_plan_of_another_pipeline_version_is_not_resumed(planner, operator, stopped_at_half):
    operator.set_version(stopped_at_half, 999)

    assert planner.refusal("plan_resume", plan_id=stopped_at_half) == "PIPELINE_VERSION_MISMATCH"


def test_a_worker_refuses_a_snapshot_of_another_version_and_a_retry_begins_from_nothing(
    planner, operator, calls, expected, stopped_at_half
):
    operator.set_version_in_zip(stopped_at_half, 999)
    planner.resume(stopped_at_half)

    failed = planner.wait_for(stopped_at_half, expected.states.failed)

    assert failed["error"]["message"].startswith(expected.worker_refusal), failed
    assert failed["error"]["failure_reason"] == "version_mismatch", failed
    assert failed["error"]["recoverable"] is False, failed
    before = calls.by_step()
    planner.retry(stopped_at_half)
    planner.wait_for_the_end(stopped_at_half)
    assert calls.by_step() - before == calls.once_each(), "left-over artifacts were used again"


def test_a_plan_without_a_pipeline_version_is_not_resumed(planner, operator, stopped_at_half):
    operator.set_version(stopped_at_half, None)

    assert planner.refusal("plan_resume", plan_id=stopped_at_half) == "PIPELINE_VERSION_MISMATCH"


def test_a_plan_of_the_same_pipeline_version_is_resumed(planner, expected, stopped_at_half):
    resumed = planner.resume(stopped_at_half)

    assert (resumed["state"], resumed["resume_count"]) == (expected.states.waiting, 1)
    planner.wait_for_the_end(stopped_at_half)


def test_only_a_failed_plan_is_resumed(planner, calls, expected):
    with calls.held(expected.step(1)):
        plan = planner.create()
        calls.wait_for(expected.step(1))
        assert planner.refusal("plan_resume", plan_id=plan) == "PLAN_NOT_RESUMABLE"
        assert planner.refusal("plan_retry", plan_id=plan) == "PLAN_NOT_FAILED"
    planner.wait_for_the_end(plan)

    assert planner.refusal("plan_resume", plan_id=plan) == "PLAN_NOT_RESUMABLE"
    assert planner.refusal("plan_retry", plan_id=plan) == "PLAN_NOT_FAILED"
    assert planner.stop(plan)["stop_requested"] is False


def test_a_resume_keeps_the_files_and_the_progress_of_a_plan(
    planner, calls, expected, stopped_at_half
):
    number = expected.step_at(HALF)
    before = planner.status(stopped_at_half)
    assert before["steps_completed"] == number
    with calls.held(expected.step(number + 1)):
        planner.resume(stopped_at_half)
        calls.wait_for(expected.step(number + 1))
        resumed = planner.status(stopped_at_half)
        assert resumed["files_count"] == before["files_count"]
        assert resumed["steps_completed"] == number

    planner.wait_for_the_end(stopped_at_half)
    assert calls.by_step() == calls.once_each()


def test_a_retry_clears_the_files_of_a_plan(planner, calls, expected, stopped_at_half):
    before = planner.status(stopped_at_half)
    with calls.held(expected.step(1)):
        retried = planner.retry(stopped_at_half)
        assert retried["state"] == expected.states.waiting
        calls.wait_for(expected.step(1), count=2)
        begun = planner.status(stopped_at_half)
        assert begun["files_count"] < before["files_count"]
        assert (begun["steps_completed"], begun["progress_percentage"]) == (0, 0)
        assert planner.mcp.call("plan_file_info", plan_id=stopped_at_half, artifact="zip") == {
            "ready": False,
            "reason": f"the plan is {expected.states.working}",
        }

    planner.wait_for_the_end(stopped_at_half)
    twice = {expected.step(one): 2 for one in range(1, expected.step_at(HALF) + 1)}
    assert calls.by_step() == calls.once_each(**twice)
