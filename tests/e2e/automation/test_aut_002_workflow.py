"""AUT-002: three tasks in order, with what they publish, below one parent that completes once."""

import itertools

import pytest
from tests.e2e.automation.user import PATIENCE

pytestmark = [pytest.mark.e2e, pytest.mark.stack("automation", isolation="module")]

WAITS = 1.0  # seconds


def test_tasks_run_in_order_and_use_what_earlier_ones_published(user, operator):
    parent = user.execute("test_pack.simple_workflow", message="hello", delay=WAITS)
    waiting = user.stack.wait_until(
        lambda: user.executions(parent=parent, workflow_task="task_wait"),
        timeout=PATIENCE,
        what="the second task is there",
    )
    # The end of the first task is told again: it is not taken for the end of the second.
    assert operator.send_again("execution.ended") > 0
    operator.wait_until_sent()
    user.wait_for(waiting[0]["id"], "completed")

    done = user.wait_for(parent, "completed")
    operator.wait_until_settled()
    tasks = user.executions(parent=parent)
    assert [task["workflow_task"] for task in tasks] == ["task_start", "task_wait", "task_complete"]
    assert {task["status"] for task in tasks} == {"completed"}
    assert all(task["parent"] == parent for task in tasks)
    for before, after in itertools.pairwise(tasks):
        assert before["ended_at"] < after["started_at"], "a task began before the last one ended"
    start_time = tasks[0]["result"]["timestamp"]
    assert tasks[1]["parameters"]["message"] == f"waited since {start_time}"
    assert tasks[1]["result"]["execution_time"] >= tasks[1]["parameters"]["delay"]
    assert done["result"]["tasks"] == ["task_start", "task_wait", "task_complete"]
    assert done["result"]["published"]["start_time"] == start_time
    assert done["result"]["published"]["summary"] == f"hello: {start_time}"
    assert operator.states_of(parent) == ["requested", "scheduling", "running", "completed"]

    # The same end is told again, as by a second publisher: nothing follows.
    assert operator.send_again("execution.%") > 0
    operator.wait_until_sent()
    operator.wait_until_settled()
    assert len(user.executions(parent=parent)) == len(tasks)
    assert operator.states_of(parent).count("completed") == 1


def test_a_failed_task_ends_the_workflow_and_a_cancelled_one_its_tasks(user, operator):
    failed = user.wait_for(user.execute("test_pack.failing_workflow"), "failed")
    tasks = user.executions(parent=failed["id"])
    assert [task["workflow_task"] for task in tasks] == ["task_start", "task_fail"]
    assert "this task fails" in failed["result"]["error"]["message"]

    parent = user.execute("test_pack.approval", assigned_to=user.login, timeout=600)
    child = user.stack.wait_until(
        lambda: user.executions(parent=parent), timeout=PATIENCE, what="the first task is there"
    )[0]
    user.inquiry_of(child["id"])
    user.cancel(parent)
    user.wait_for(parent, "cancelled")
    assert user.execution(child["id"])["status"] == "cancelled"
    assert len(user.executions(parent=parent)) == 1
    operator.wait_until_settled()
