"""AUT-003: five executions, limit 1: they begin as they were requested, and never two at once."""

import pytest

pytestmark = pytest.mark.e2e

EXECUTIONS = 5
LIMITED = "test_pack.one_at_a_time"


def run_five(user, operator):
    """Request all, see that all complete, and look at the audit trail."""
    requested = [
        user.execute(LIMITED, message=f"number {number}", delay=0.1) for number in range(EXECUTIONS)
    ]
    for number in requested:
        user.wait_for(number, "completed")
    operator.wait_until_settled()
    assert operator.starts(requested) == requested, "not in the order of requests, or not once each"
    assert operator.most_at_once(requested) == 1
    return requested


@pytest.mark.stack("automation")
def test_one_worker_keeps_order_and_limit(user, operator):
    run_five(user, operator)

    # Without a limit the same worker does many at once, so the limit is what kept them apart.
    free = [user.execute("test_pack.echo", message="free", delay=1) for _ in range(EXECUTIONS)]
    for number in free:
        user.wait_for(number, "completed")
    assert operator.most_at_once(free) > 1

    # With the policy to cancel, what finds no room is cancelled.
    first = user.execute("test_pack.only_one", message="first", delay=2)
    user.wait_for(first, "running")
    second = user.wait_for(user.execute("test_pack.only_one", message="second"), "cancelled")
    assert second["result"]["error"]["type"] == "concurrency_limit"
    assert user.wait_for(first, "completed")["result"]["message"] == "first"


@pytest.mark.stack("automation", profiles=["two"])
def test_two_workers_keep_order_and_limit_and_duplicates_change_nothing(user, operator):
    for name in ("worker", "worker-b"):
        operator.wait_until_worker_is(name, "active")
    requested = run_five(user, operator)

    # All messages once more, as after the death of a relay that had not marked them.
    sent = operator.send_again("%")
    operator.wait_until_sent()
    assert sent >= 3 * EXECUTIONS
    again = user.execute(LIMITED, message="afterwards")
    user.wait_for(again, "completed")
    operator.wait_until_settled()
    assert operator.starts([*requested, again]) == [*requested, again], "one was done twice"

    both = [user.execute("test_pack.echo", message="both", delay=0.5) for _ in range(4)]
    workers = {user.wait_for(number, "completed")["worker"] for number in both}
    assert workers == {"worker", "worker-b"}
