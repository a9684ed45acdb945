"""AUT-006: what fails is done again after longer and longer pauses, and not once too often."""

import itertools
from datetime import datetime

import pytest
from tests.e2e.automation.operator_view import programs_of
from tests.e2e.automation.user import PATIENCE

pytestmark = [pytest.mark.e2e, pytest.mark.stack("automation", isolation="module")]

FLAKY = "test_pack.flaky"
BACKOFF = 0.1  # seconds before the first retry; doubles each time
RETRIES = 2
LONG = 30  # seconds that an action takes which nobody ends


def family_of(user, first):
    """An execution and its retries, once all have ended and nothing more can follow."""
    retries = user.executions(original_execution=first)
    return [user.execution(first), *retries]


def lasted(execution):
    """Seconds that an execution ran."""
    begun, ended = (datetime.fromisoformat(execution[one]) for one in ("started_at", "ended_at"))
    return (ended - begun).total_seconds()


def test_a_failing_action_is_retried_until_it_succeeds(user, operator):
    first = user.execute(FLAKY, failures=2)
    lasting = user.execute(FLAKY, failures=99)
    once = user.execute(FLAKY, failures=99, max_retries=0)
    for number in (first, lasting, once):
        user.wait_for(number, "failed")
    for number in (first, lasting):
        user.stack.wait_until(
            lambda number=number: [one["ended_at"] for one in family_of(user, number)],
            until=lambda ended: len(ended) == RETRIES + 1 and all(ended),
            timeout=PATIENCE,
            what=f"execution {number} and its retries have ended",
        )
    operator.wait_until_settled()

    tries = family_of(user, first)
    assert [one["status"] for one in tries] == ["failed", "failed", "completed"]
    assert tries[-1]["result"] == {"succeeded_at": 3}
    assert [one["retry_count"] for one in tries] == [0, 1, 2]
    assert [one["retry_reason"] for one in tries] == [
        None,
        "failed: failure number 1",
        "failed: failure number 2",
    ]
    for number, (before, after) in enumerate(itertools.pairwise(tries)):
        ended, until, begun = (
            datetime.fromisoformat(one)
            for one in (before["ended_at"], after["not_before"], after["started_at"])
        )
        assert (until - ended).total_seconds() == pytest.approx(BACKOFF * 2**number)
        assert begun >= until, "it did not wait"

    tries = family_of(user, lasting)
    assert [one["status"] for one in tries] == ["failed"] * (RETRIES + 1)
    assert tries[-1]["result"]["error"] == {
        "type": "action_failed",
        "message": "failure number 3",
        "exit_code": 1,
    }
    assert len(family_of(user, once)) == 1


def test_what_is_cancelled_or_takes_too_long_is_ended_with_all_its_processes(stack, user, operator):
    number = user.execute("test_pack.echo", message="unwanted", delay=LONG)
    user.wait_for(number, "running")
    user.cancel(number)
    unwanted = user.wait_for(number, "cancelled")

    slow = user.wait_for(user.execute("test_pack.too_slow", message="slow", delay=LONG), "timeout")
    assert slow["result"]["error"]["type"] == "timeout"
    assert lasted(unwanted) < LONG, "it was let go on to its end"
    assert lasted(slow) < LONG, "it was let go on to its end"
    operator.wait_until_settled()
    assert programs_of(stack.service("worker")) == []


def test_what_is_cancelled_while_its_program_is_started_is_ended(user, operator):
    for _ in range(6):
        number = user.execute("test_pack.echo", message="unwanted", delay=LONG)
        while user.execution(number)["status"] != "running":
            pass  # the next moment is the one that is meant
        user.cancel(number)
        assert lasted(user.wait_for(number, "cancelled")) < LONG, "it was let go on to its end"
    operator.wait_until_settled()


def test_an_end_that_the_worker_cannot_write_down_fails_the_execution(stack, user, operator):
    failed = user.wait_for(user.execute("test_pack.unkept", max_retries=1), "failed")

    assert failed["result"]["error"]["type"] == "worker_failed"
    assert "DataError" in failed["result"]["error"]["message"]
    [retry] = user.stack.wait_until(
        lambda: user.executions(original_execution=failed["id"]),
        timeout=PATIENCE,
        what="it is retried",
    )
    user.wait_for(retry["id"], "failed")
    operator.wait_until_settled()
    assert "unsupported Unicode escape sequence" in stack.service("worker").logs()
