"""The queue delivers at least once; a run is done once all the same."""

import pytest
from tests.integration.runs.scenario import (
    DONE_WITHIN,
    assert_calls,
    assert_smoke_run_completed,
    paused,
)

from stackproof import wait_until

pytestmark = pytest.mark.integration

ENQUEUE = "import sys, uuid; from runs.queue import enqueue; enqueue(uuid.UUID(sys.argv[1]))"


def test_a_message_that_is_delivered_three_times_is_done_once(stack, gateway, tenant):
    model = tenant.model("smoke")

    with paused(stack.service("worker")):
        run_id = tenant.start("smoke", model)
        for _ in range(2):
            again = stack.service("api").exec(["python", "-c", ENQUEUE, run_id])
            assert again.exit_code == 0, again.stderr

    assert_smoke_run_completed(tenant.wait_for(run_id, "completed"))
    assert_calls(gateway, model, [200] * 5)


def test_a_run_survives_the_death_of_its_worker(stack, gateway, tenant, beat):
    model = tenant.model("smoke")
    worker = stack.service("worker")
    with paused(stack.service("fake-openai")):
        run_id = tenant.start("smoke", model)
        tenant.wait_for(run_id, "running")
        worker.kill()
    worker.start()
    expire = f"update runs set lease_until = now(), dispatch_at = now() where id = '{run_id}'"  # noqa: S608 - an id that the API made
    assert stack.psql(["-c", expire], service="postgres").stdout.strip() == "UPDATE 1"

    run = tenant.wait_for(run_id, "completed")

    assert_smoke_run_completed(run, attempts=2)
    types = [event["type"] for event in tenant.events(run_id)]
    assert types == [
        "run.queued",
        "run.started",
        "run.attempt_lost",
        "run.started",
        *["item.scored"] * 5,
        "run.completed",
    ]
    # Whether the dead worker's question still got through is the network's business.
    assert [call.status for call in gateway.requests(model=model)][-5:] == [200] * 5


def test_a_run_with_a_worker_at_it_is_left_alone(stack, gateway, tenant):
    model = tenant.model("smoke")
    worker = stack.service("worker")
    with paused(stack.service("fake-openai")):
        run_id = tenant.start("smoke", model)
        tenant.wait_for(run_id, "running")
        again = stack.service("api").exec(["python", "-c", ENQUEUE, run_id])
        assert again.exit_code == 0, again.stderr
        wait_until(
            lambda: f"run {run_id}: busy" in worker.logs(tail=200),
            timeout=DONE_WITHIN,
            what="the other worker process has looked at the second message",
        )
        assert tenant.show(run_id)["attempts"] == 1

    assert_smoke_run_completed(tenant.wait_for(run_id, "completed"))
    assert_calls(gateway, model, [200] * 5)
