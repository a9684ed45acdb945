"""INT-003: the event stream has integrity."""

import httpx
import pytest
from tests.integration.runs.event_stream import Listener, assert_ended_well, assert_unbroken
from tests.integration.runs.scenario import (
    NOT_WITHIN,
    assert_calls,
    paused,
)

from stackproof.errors import WaitTimeout

pytestmark = pytest.mark.integration

ITEMS = 12  # of the dataset capitals
EVENTS = ITEMS + 3  # queued, started, completed


def test_every_listener_hears_every_event_once_and_in_order(stack, gateway, tenant):
    with paused(stack.service("worker")):
        run_id = tenant.start("capitals", tenant.model("smoke"))
        url = f"{stack.url('api')}/runs/{run_id}/events"
        watch = tenant.watch(run_id)
        first = Listener(url, source=watch.recorded("first listener"))
        second = Listener(url, source=watch.recorded("second listener"))
        cut = Listener(url, cut_after=4, source=watch.recorded("cut listener"))
        for listener in (first, second, cut):
            listener.start().wait_for_events(1)
        assert tenant.show(run_id)["state"] == "queued"  # so they hear the rest as it happens

    heard_before = cut.wait_for_end()
    resumed = Listener(
        url, after=heard_before[-1].id, source=watch.recorded("resumed listener", whole=False)
    ).start()
    for listener in (first, second, resumed):
        listener.wait_for_end()
        assert_ended_well(listener)

    assert cut.ended == "cut by the client"
    assert_unbroken(heard_before)
    assert_unbroken(resumed.events, after=4)
    assert_unbroken(first.events)
    assert len(first.events) == EVENTS
    assert second.events == first.events
    assert heard_before + resumed.events == first.events
    stored = tenant.events(run_id)
    assert [(event.id, event.type) for event in first.events] == [
        (str(row["seq"]), row["type"]) for row in stored
    ]
    assert [event.payload["progress"]["done"] for event in first.events[2:-1]] == list(
        range(1, ITEMS + 1)
    )


def test_a_listener_that_has_heard_all_is_told_not_to_come_back(stack, tenant):
    run_id = tenant.start("smoke", tenant.model("smoke"))
    url = f"{stack.url('api')}/runs/{run_id}/events"
    events = Listener(url).start().wait_for_end()

    with httpx.stream("GET", url, headers={"Last-Event-ID": events[-1].id}) as again:
        assert again.status_code == httpx.codes.NO_CONTENT


def test_an_event_that_was_lost_is_found_as_a_gap(stack, tenant):
    run_id = tenant.start("smoke", tenant.model("smoke"))
    tenant.wait_for(run_id, "completed")
    delete = f"delete from run_events where run_id = '{run_id}' and seq = 4"  # noqa: S608 - an id that the API made
    assert stack.psql(["-c", delete], service="postgres").stdout.strip() == "DELETE 1"

    listener = Listener(f"{stack.url('api')}/runs/{run_id}/events").start()
    events = listener.wait_for_end()

    with pytest.raises(AssertionError, match=r"gap: 5 item.scored came where 4 was due"):
        assert_unbroken(events)
    assert_ended_well(listener)


@pytest.mark.stack(shared=[])  # it stops the server
def test_a_database_restarted_mid_run_is_seen_as_a_silent_stream_that_goes_on_later(
    stack, gateway, tenant
):
    model = tenant.model("smoke")
    provider = stack.service("fake-openai")
    with paused(provider):
        run_id = tenant.start("capitals", model)
        listener = Listener(f"{stack.url('api')}/runs/{run_id}/events").start()
        listener.wait_for_events(2)  # queued and started: the first question is on its way
        stack.service("postgres").stop()
    try:
        with pytest.raises(WaitTimeout) as caught:
            listener.wait_for_end(timeout=NOT_WITHIN)
        with pytest.raises(AssertionError, match=r"the last event is 2 run.started"):
            assert_ended_well(listener)
        health = tenant.http.get("/health")
    finally:
        stack.service("postgres").start()

    assert "the event stream ends: not within" in str(caught.value)
    assert "2 events heard, the last: 2 run.started; still open" in str(caught.value)
    assert (health.status_code, health.json()["redis"]) == (503, "ok")
    assert health.json()["database"] != "ok"
    assert_unbroken(listener.wait_for_end())
    assert_ended_well(listener)
    assert len(listener.events) == EVENTS
    assert_calls(gateway, model, [200] * ITEMS)  # nothing was asked twice
    assert tenant.show(run_id)["attempts"] == 1
