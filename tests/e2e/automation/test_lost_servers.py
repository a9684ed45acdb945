"""Broker, database or executor go away in mid-run: nothing is lost, and nothing is done twice."""

import pytest
from tests.e2e.automation.user import AWAY, PATIENCE

pytestmark = [pytest.mark.e2e, pytest.mark.stack("automation", isolation="module")]

ECHO = "test_pack.echo"
LIFE = ["requested", "scheduling", "scheduled", "running", "completed"]


def assert_done_once(user, operator, numbers):
    """All have completed, each by the shortest way."""
    for number in numbers:
        user.wait_for(number, "completed")
    operator.wait_until_settled()
    for number in numbers:
        assert operator.states_of(number) == LIFE


def test_an_executor_killed_between_database_and_broker_loses_nothing(stack, user, operator):
    running = user.execute(ECHO, message="running", delay=2)
    user.wait_for(running, "running")
    broker = stack.service("rabbitmq")

    broker.stop()
    waiting = [user.execute(ECHO, message=f"number {number}") for number in range(3)]
    for number in waiting:
        user.wait_for(number, "scheduled")
    untold = operator.rows(
        "select id from observed.outbox where published_at is null and routing_key like 'worker.%'"
    )
    assert len(untold) == len(waiting), "the messages are in the database, and nowhere else"
    stack.service("executor").kill()
    broker.start()

    assert_done_once(user, operator, [running, *waiting])


def test_a_broker_that_was_restarted_in_mid_run_changes_nothing(stack, user, operator, watch):
    watcher = watch()
    watcher.subscribe("entity_type:execution")
    number = user.execute(ECHO, message="running", delay=1)
    user.wait_for(number, "running")

    stack.service("rabbitmq").restart()

    later = user.execute(ECHO, message="later")
    assert_done_once(user, operator, [number, later])
    for one in (number, later):
        watcher.wait_for_end_of(one, "completed")
        assert watcher.states_of(one) == LIFE


def test_a_database_that_was_restarted_in_mid_run_changes_nothing(stack, user, operator, watch):
    watcher = watch()
    watcher.subscribe("entity_type:execution")
    number = user.execute(ECHO, message="running", delay=1)
    user.wait_for(number, "running")

    stack.service("postgres").restart()

    health = stack.wait_until(
        lambda: user.http.get("/health").raise_for_status(),
        timeout=PATIENCE,
        what="the API has its database again",
        retry_on=AWAY,
    )
    assert health.json() == {"status": "ok", "environment": "test"}
    later = user.execute(ECHO, message="later")
    assert_done_once(user, operator, [number, later])
    for one in (number, later):
        watcher.wait_for_end_of(one, "completed")
        assert watcher.states_of(one) == LIFE


def test_an_executor_that_was_frozen_goes_on_where_it_was(stack, user, operator):
    executor = stack.service("executor")

    executor.pause()
    numbers = [user.execute(ECHO, message=f"number {number}") for number in range(3)]
    assert {user.execution(number)["status"] for number in numbers} == {"requested"}
    executor.unpause()

    assert_done_once(user, operator, numbers)
