"""AUT-001: a timer fires at the set rate, and each event leads to exactly one execution."""

import itertools
from datetime import datetime

import pytest
from tests.e2e.automation.user import PATIENCE

pytestmark = [pytest.mark.e2e, pytest.mark.stack("automation", isolation="module")]

EVERY = 0.5  # seconds; the other tests of this stack have timers of their own
BESIDE = 0.6
PAUSED = 0.55
TICKS = 4
SLOW_SENSOR_NEEDS = 0.7  # seconds between two numbers of the sensor of the test pack

ECHO = {"action_ref": "test_pack.echo", "action_params": {"message": "{{ event.due_at }}"}}


def timer(interval):
    """The part of a rule that says when."""
    return {"trigger_ref": "core.timer", "trigger_params": {"interval": interval}}


def chain_of(user, rule):
    """Event, enforcement and execution of each time that a rule has applied."""
    enforcements = user.some("enforcements", rule_ref=rule)
    events = {event["id"]: event for event in user.some("events")}  # which are older
    executions = {one["enforcement"]: one for one in user.executions()}
    return [(events[one["event_id"]], one, executions.get(one["id"])) for one in enforcements]


def wait_for_ends(user, rule, count):
    """Wait until so many executions of a rule have completed."""
    user.stack.wait_until(
        lambda: [
            execution
            for _, _, execution in chain_of(user, rule)
            if execution and execution["status"] == "completed"
        ],
        until=lambda done: len(done) >= count,
        timeout=PATIENCE,
        what=f"{count} executions of {rule} are completed",
    )


def test_a_timer_leads_to_one_execution_for_each_event(user, operator):
    user.add_rule("test_pack.never", **timer(EVERY), **ECHO, enabled=False)
    user.add_rule("test_pack.unmet", **timer(EVERY), **ECHO, conditions={"count": {"below": 0}})
    user.add_rule("test_pack.often", **timer(EVERY), **ECHO)

    wait_for_ends(user, "test_pack.often", TICKS)
    user.switch("rules", "test_pack.often", "disable")
    user.switch("rules", "test_pack.unmet", "disable")
    operator.wait_until_settled()

    chain = chain_of(user, "test_pack.often")
    for event, enforcement, execution in chain:
        if enforcement["status"] == "disabled":  # the rule was disabled in this very moment
            assert execution is None
            continue
        assert enforcement["status"] == "processed"
        assert execution["status"] == "completed"
        assert execution["result"]["message"] == event["payload"]["due_at"]
    assert len({event["id"] for event, _, _ in chain}) == len(chain), "an event was enforced twice"
    counts = [event["payload"]["count"] for event, _, _ in chain]
    assert counts == list(range(counts[0], counts[0] + len(counts))), "a tick is missing, or twice"
    due = [datetime.fromisoformat(event["payload"]["due_at"]) for event, _, _ in chain]
    rate = [(after - before).total_seconds() for before, after in itertools.pairwise(due)]
    assert rate == pytest.approx([EVERY] * len(rate))

    assert user.some("enforcements", rule_ref="test_pack.never") == []
    assert user.some("enforcements", rule_ref="test_pack.unmet") == []
    started = [one["enforcement"] for one in user.executions()]
    assert len(started) == len(set(started)), "an enforcement was executed twice"


def test_a_slow_sensor_holds_no_timer_up_and_a_number_told_twice_counts_once(user, operator):
    user.add_rule(
        "test_pack.counted",
        trigger_ref="test_pack.counted",
        action_ref="test_pack.echo",
        action_params={"message": "number {{ event.count }}"},
        conditions={"count": {"above": 1}},
    )
    user.add_rule("test_pack.beside", **timer(BESIDE), **ECHO)
    user.switch("sensors", "test_pack.counter", "enable")

    wait_for_ends(user, "test_pack.counted", 2)
    [sensor] = user.some("sensors")
    assert sensor["status"] == "running"
    user.switch("sensors", "test_pack.counter", "disable")
    user.switch("rules", "test_pack.beside", "disable")
    user.stack.wait_until(
        lambda: user.some("sensors")[0]["status"] == "stopped",
        timeout=PATIENCE,
        what="it has stopped",
    )
    operator.wait_until_settled()

    messages = [
        execution["result"]["message"] for _, _, execution in chain_of(user, "test_pack.counted")
    ]
    assert messages == [f"number {number}" for number in range(2, 2 + len(messages))]
    ticks = [event["payload"]["count"] for event, _, _ in chain_of(user, "test_pack.beside")]
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks))), "the timer waited for the sensor"
    assert len(ticks) >= SLOW_SENSOR_NEEDS * 2 / BESIDE


def test_a_frozen_sensor_service_makes_up_for_each_tick_once(stack, user, operator):
    user.add_rule("test_pack.paused", **timer(PAUSED), **ECHO)
    wait_for_ends(user, "test_pack.paused", 1)
    sensor = stack.service("sensor")

    sensor.pause()
    operator.wait_until_settled()
    seen = len(chain_of(user, "test_pack.paused"))
    stack.wait_until(
        lambda: len(chain_of(user, "test_pack.paused")) == seen,
        steady_for=4 * PAUSED,
        timeout=PATIENCE,
        what="some ticks pass unseen",
    )
    sensor.unpause()

    wait_for_ends(user, "test_pack.paused", seen + 4)
    user.switch("rules", "test_pack.paused", "disable")
    operator.wait_until_settled()
    counts = [event["payload"]["count"] for event, _, _ in chain_of(user, "test_pack.paused")]
    assert counts == list(range(counts[0], counts[0] + len(counts))), "a tick is missing, or twice"
