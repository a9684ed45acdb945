"""A worker dies, freezes or takes no messages: its executions are never lost, and never twice."""

import pytest
from tests.e2e.automation.operator_view import programs_of
from tests.e2e.automation.user import PATIENCE

pytestmark = pytest.mark.e2e

FLAKY = "test_pack.flaky"
LONG = 30  # seconds that the first try would take
IMPATIENT = {"executor": {"LOST_AFTER_SECONDS": "5"}}
"""Environment in which a silent worker is soon given up."""
DEAF = {
    "executor": {"LOST_AFTER_SECONDS": "120"},
    "worker": {"AMQP_HEARTBEAT_SECONDS": "1", "WORKER_QUEUE_TTL_SECONDS": "1"},
}
"""Environment in which a worker counts as alive for long, and its messages as dead soon."""


def retry_of(user, number):
    """Wait for the only retry of an execution."""
    [found] = user.stack.wait_until(
        lambda: user.executions(original_execution=number),
        timeout=PATIENCE,
        what="there is a retry",
    )
    return found["id"]


@pytest.mark.stack("automation")
def test_what_a_killed_worker_ran_is_abandoned_and_done_again(stack, user, operator):
    again = user.execute(FLAKY, failures=0, delay_first=LONG, max_retries=1)
    once = user.execute("test_pack.echo", message="once", delay=LONG)
    for number in (again, once):
        user.wait_for(number, "running")

    stack.service("worker").kill()

    for number in (again, once):
        abandoned = user.wait_for(number, "abandoned")
        assert abandoned["result"]["error"]["type"] == "worker_lost"
    retry = user.wait_for(retry_of(user, again), "completed")
    assert retry["retry_reason"].startswith("abandoned: worker worker was")
    operator.wait_until_settled()
    assert len(operator.starts([again, once])) == 2
    assert programs_of(stack.service("worker")) == [], "a program is left"
    assert user.executions(original_execution=once) == []


@pytest.mark.stack("automation", profiles=["two"], env=IMPATIENT)
def test_a_frozen_worker_comes_back_and_harms_nothing(stack, user, operator):
    for name in ("worker", "worker-b"):
        operator.wait_until_worker_is(name, "active")
    number = user.execute(FLAKY, failures=0, delay_first=3, max_retries=1)
    late = user.wait_for(number, "running")["worker"]
    other = {"worker": "worker-b", "worker-b": "worker"}[late]

    stack.service(late).pause()
    user.wait_for(number, "abandoned")
    retry = user.wait_for(retry_of(user, number), "completed")
    assert retry["worker"] == other
    unhurt = [user.execute("test_pack.echo", message="meanwhile") for _ in range(3)]
    for one in unhurt:
        assert user.wait_for(one, "completed")["worker"] == other
    stack.service(late).unpause()

    operator.wait_until_worker_is(late, "active")
    stack.wait_until(
        lambda: f"execution {number} has ended without this worker" in stack.service(late).logs(),
        timeout=PATIENCE,
        what="the worker that came back has ended its action",
    )
    operator.wait_until_settled()
    assert user.execution(number)["status"] == "abandoned"
    everything = [number, retry["id"], *unhurt]
    assert sorted(operator.starts(everything)) == sorted(everything), "one began twice"


@pytest.mark.stack("automation", env=DEAF)
def test_a_message_that_a_hanging_worker_does_not_take_fails_its_execution(stack, user, operator):
    operator.wait_until_worker_is("worker", "active")
    worker = stack.service("worker")

    worker.pause()
    failed = user.wait_for(user.execute("test_pack.echo", message="unheard"), "failed")
    assert failed["result"]["error"]["type"] == "dead_letter"
    worker.unpause()

    done = user.wait_for(user.execute("test_pack.echo", message="heard"), "completed")
    assert done["worker"] == failed["worker"] == "worker"
    operator.wait_until_settled()
    assert operator.starts([failed["id"], done["id"]]) == [done["id"]]
