"""AUT-007: watchers are told each change once and in order, and miss nothing that they ask for."""

import httpx
import pytest
from tests.e2e.automation.watcher import watching

pytestmark = [pytest.mark.e2e, pytest.mark.stack("automation", isolation="module")]

LIFE = ["requested", "scheduling", "scheduled", "running", "completed"]


def test_each_filter_selects_its_own_and_every_change_is_told_once(
    stack, user, other_user, operator, oracle, watch
):
    everything, twin, mine, starts, questions, picky = (watch() for _ in range(6))
    everything.subscribe("all")
    twin.subscribe("all")
    mine.subscribe(f"user:{other_user.id}")
    starts.subscribe("notification_type:execution_created")
    questions.subscribe("entity_type:inquiry")
    first = user.execute("test_pack.echo", message="first", delay=1)
    picky.subscribe(f"entity:execution:{first}", after=0)
    picky.subscribe("entity_type:execution")

    second = other_user.execute("test_pack.echo", message="second")
    asked = user.execute("test_pack.ask", prompt="Well?", assigned_to=other_user.login)
    assert other_user.respond(other_user.inquiry_of(asked)["id"], {}).is_success
    for number in (first, second, asked):
        for watcher in (everything, twin, picky):
            watcher.wait_for_end_of(number, "completed")
    mine.wait_for_end_of(second, "completed")
    questions.wait_for(lambda frame: frame.get("notification_type") == "inquiry_responded", "it")
    operator.wait_until_settled()

    for watcher in (everything, twin):
        assert watcher.states_of(first) == watcher.states_of(second) == LIFE
        assert watcher.positions == list(range(watcher.positions[0], watcher.positions[-1] + 1))
        watcher.judged_by(oracle, "notifications")
    assert everything.told == twin.told, "two watchers of all were told different things"
    assert picky.states_of(first) == picky.states_of(second) == LIFE
    assert sorted(set(picky.positions)) == picky.positions, "told twice, or out of order"
    assert {frame["user_id"] for frame in mine.told} == {other_user.id}
    assert mine.states_of(second) == LIFE
    assert [frame["entity_id"] for frame in starts.told] == [first, second, asked]
    kinds = [frame["notification_type"] for frame in questions.told]
    assert kinds == ["inquiry_created", "inquiry_responded"]


def test_who_comes_back_is_told_what_was_missed_also_by_a_notifier_that_was_restarted(
    stack, user, operator, watch
):
    with watching(stack.url("notifier"), user.token) as leaving:
        leaving.subscribe("all")
        seen = user.execute("test_pack.echo", message="seen")
        leaving.wait_for_end_of(seen, "completed")
        operator.wait_until_settled()
        last = leaving.positions[-1]
    missed = user.execute("test_pack.echo", message="missed")
    user.wait_for(missed, "completed")
    stack.service("notifier").restart()

    back = watch()
    back.subscribe("entity_type:execution", after=last)
    late = user.execute("test_pack.echo", message="late")
    back.wait_for_end_of(late, "completed")
    operator.wait_until_settled()

    assert back.states_of(missed) == back.states_of(late) == LIFE
    assert back.states_of(seen) == []
    assert sorted(set(back.positions)) == back.positions

    assert back.answer_to({"type": "ping"}, "pong")
    assert (
        "filter" in back.answer_to({"type": "subscribe", "filter": "entity:x"}, "error")["message"]
    )
    assert back.answer_to({"type": "dance"}, "error")
    back.answer_to({"type": "unsubscribe", "filter": "entity_type:execution"}, "unsubscribed")
    before = len(back.told)
    user.wait_for(user.execute("test_pack.echo", message="unheard"), "completed")
    operator.wait_until_settled()
    back.answer_to({"type": "ping"}, "pong")
    assert len(back.told) == before


def told_until_end_of(execution, events):
    """What a stream tells, up to the end of an execution; ids and events."""
    told = []
    for number, event in events:
        told.append((number, event))
        if (event["entity_id"], event["payload"]["status"]) == (execution, "completed"):
            break
    return told


def states_in(told, execution):
    """The states of an execution, as a stream has told them."""
    return [event["payload"]["status"] for _, event in told if event["entity_id"] == execution]


def test_the_stream_of_the_api_tells_each_change_once_and_what_was_missed(user, operator):
    refused = httpx.get(f"{user.stack.url('api')}/api/v1/executions/stream")
    assert refused.status_code == httpx.codes.UNAUTHORIZED
    with user.stream() as events:
        heard = user.execute("test_pack.echo", message="heard")
        told = told_until_end_of(heard, events)
    assert states_in(told, heard) == LIFE

    missed = user.execute("test_pack.ask", prompt="Who is there?")
    assert user.respond(user.inquiry_of(missed)["id"], {}).is_success
    user.wait_for(missed, "completed")
    operator.wait_until_settled()
    with user.stream(after=told[-1][0]) as events:
        late = user.execute("test_pack.echo", message="late")
        told = told_until_end_of(late, events)

    assert states_in(told, missed) == ["requested", "scheduling", "running", "completed"]
    assert states_in(told, late) == LIFE
    assert {event["entity_id"] for _, event in told} == {missed, late}
    assert {event["entity_type"] for _, event in told} == {"execution"}
