"""Many jobs in one process: order, cancelling, holding, closing."""

from __future__ import annotations

import pytest
from tests.integration.imaging.support import (
    DONE_WITHIN,
    add_to_queue,
    finished,
    held_job,
    statuses,
)

from imaging.application import opened
from imaging.history import HistoryInUse, JobHistory
from imaging.jobs import JobRequest, Priority, RunMode
from imaging.planning import make_plan
from imaging.state import Draft
from stackproof import wait_until

pytestmark = pytest.mark.integration


def test_a_cancelled_queued_job_never_reaches_the_api(driven, stub):
    unwanted = add_to_queue(driven, "unwanted")
    wanted = add_to_queue(driven, "wanted")

    assert driven.service.cancel_job(unwanted)
    driven.service.run_pending()

    record = driven.history.job(unwanted)
    assert (record.status, record.error_message) == ("cancelled", "cancelled while queued")
    assert record.completed_at is not None
    assert driven.history.job(wanted).status == "completed"
    assert stub.prompts() == ["wanted"]
    assert not driven.service.cancel_job(wanted)
    assert driven.history.job(wanted).status == "completed"


def test_cancelling_the_running_job_interrupts_its_stage(application, stub):
    job_id = held_job(application, stub)

    assert application.service.cancel_job(job_id)
    record = finished(application, job_id)

    assert (record.status, record.error_message) == ("cancelled", "cancelled while running")
    assert record.current_stage == "txt2img"
    assert record.outputs == ()
    assert application.service.cancel_current() is None


def test_a_running_job_can_go_back_to_the_queue_which_then_is_held(application, stub):
    job_id = held_job(application, stub)
    later = add_to_queue(application, "later")
    seen = []
    application.service.set_status_callback(lambda record: seen.append(record.status))

    assert application.service.cancel_current(return_to_queue=True) == job_id
    wait_until(lambda: seen == ["queued"], timeout=DONE_WITHIN, what="the job is queued again")
    assert statuses(application) == {"held": "queued", "later": "queued"}
    stub.held.clear()
    application.service.resume()

    assert finished(application, job_id).status == "completed"
    assert finished(application, later).status == "completed"
    assert stub.prompts() == ["held", "held", "later"]


def test_jobs_run_by_priority_and_then_by_age_and_direct_ones_before_all(driven, stub):
    def request(prompt, priority):
        plan = make_plan(Draft(), prompt)
        return JobRequest(plan, RunMode.QUEUE, "test", priority=priority)

    for prompt, priority in [
        ("low", Priority.LOW),
        ("old", Priority.NORMAL),
        ("new", Priority.NORMAL),
        ("high", Priority.HIGH),
    ]:
        driven.service.enqueue(request(prompt, priority))
    driven.state.draft = Draft(prompt="direct")
    driven.controller.on_run_job_now_v2()
    driven.service.run_pending()

    assert stub.prompts() == ["direct", "high", "old", "new", "low"]


def test_a_held_queue_lets_direct_jobs_and_single_steps_through(driven, stub):
    driven.service.pause()
    for prompt in ("first", "second"):
        add_to_queue(driven, prompt)
    driven.state.draft = Draft(prompt="direct")
    driven.controller.on_run_job_now_v2()

    driven.service.run_pending()
    assert stub.prompts() == ["direct"]
    driven.service.run_next_now()
    assert stub.prompts() == ["direct", "first"]
    driven.service.run_now(JobRequest(make_plan(Draft(), "at once"), RunMode.DIRECT, "test"))
    assert stub.prompts() == ["direct", "first", "at once"]
    driven.service.resume()
    driven.service.run_pending()
    assert stub.prompts() == ["direct", "first", "at once", "second"]


def test_jobs_that_wait_when_the_application_closes_run_when_it_opens_again(tmp_path, stub):
    places = tmp_path / "history.db", tmp_path / "outputs"
    with opened(*places, stub) as first:
        running = held_job(first, stub)
        waiting = add_to_queue(first, "waiting")
    assert JobHistory(places[0]).job(waiting).status == "queued"

    with opened(*places, stub) as second:
        record = finished(second, waiting)
        assert second.service.interrupted == []
        assert (record.status, second.history.job(running).status) == ("completed", "cancelled")


def test_only_one_application_at_a_time_runs_the_jobs_of_a_history(application, tmp_path, stub):
    with (
        pytest.raises(HistoryInUse, match=r"another process runs the jobs of .*history\.db"),
        opened(tmp_path / "history.db", tmp_path / "outputs", stub),
    ):
        pass
