"""One job in one process: its stages, its failures, its record."""

from __future__ import annotations

import pytest
from tests.integration.imaging.support import (
    ALL_STAGES,
    add_to_queue,
    finished,
)

from imaging.planning import PlanError
from imaging.state import Draft

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("run_mode", ["direct", "queue"])
def test_the_run_button_does_what_the_run_mode_says(application, run_mode):
    application.state.draft = Draft(prompt="a lighthouse")
    application.state.run_mode = run_mode

    record = finished(application, application.controller.start_run_v2())

    assert (record.status, record.run_mode, record.source) == ("completed", run_mode, "run")


def test_each_stage_works_on_the_image_of_the_one_before(driven, stub):
    add_to_queue(driven, "a lighthouse", stages=ALL_STAGES)
    driven.service.run_pending()

    (_, first), (_, second), (_, third) = stub.calls
    assert stub.stages() == list(ALL_STAGES)
    assert "init_images" not in first
    assert second["image"] == "aW1hZ2UgMSBvZiB0eHQyaW1n"  # image 1 of txt2img
    assert third["init_images"] == ["aW1hZ2UgMiBvZiB1cHNjYWxl"]  # image 2 of upscale
    assert (third["width"], third["height"]) == (512, 512)


def test_a_failing_stage_is_recorded_with_its_error_and_the_queue_goes_on(driven, stub):
    stub.failing["upscale"] = "out of memory"
    broken = add_to_queue(driven, "too large", stages=ALL_STAGES)
    sound = add_to_queue(driven, "small enough")
    driven.service.run_pending()

    record = driven.history.job(broken)
    assert record.status == "failed"
    assert record.error_message == "upscale (stage 2 of 3): out of memory"
    assert record.completed_at is not None
    assert [made.stage for made in record.result] == ["txt2img"]
    assert driven.history.job(sound).status == "completed"
    assert stub.stages() == ["txt2img", "upscale", "txt2img"]


def test_a_defect_in_a_stage_does_not_end_the_background_thread(application, stub, tmp_path):
    (tmp_path / "outputs").write_text("not a folder")
    record = finished(application, add_to_queue(application, "nowhere to keep it"))
    (tmp_path / "outputs").unlink()

    assert record.status == "failed"
    assert record.error_message.startswith(("NotADirectoryError", "FileExistsError"))
    assert finished(application, add_to_queue(application, "kept")).status == "completed"


@pytest.mark.parametrize(
    ("draft", "reason"),
    [
        (Draft(), "the prompt is empty"),
        (Draft(pack_id="pack-9"), "there is no prompt pack 'pack-9'"),
        (Draft(prompt="x", stages=("upscale",)), "without txt2img there is no image"),
        (Draft(prompt="x", stages=("txt2img", "vary")), "unknown stage 'vary'"),
        (Draft(prompt="x", width=250), "250 pixels is no positive multiple of 8"),
        (Draft(prompt="x", steps=0), "0 steps are not between 1 and 150"),
        (Draft(prompt="x", upscale_by=1), "does not make the image larger"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_draft_that_makes_no_image_is_refused_and_leaves_no_job(driven, draft, reason):
    driven.controller.state.draft = draft

    with pytest.raises(PlanError, match=reason):
        driven.controller.on_add_job_to_queue_v2()

    assert driven.history.latest_job() is None


def test_a_queued_job_keeps_the_draft_that_it_was_made_of(driven, stub):
    add_to_queue(driven, "as it was")
    driven.state.draft.prompt = "changed since"
    driven.state.draft.steps = 50
    driven.service.run_pending()

    [(_, payload)] = stub.calls
    assert (payload["prompt"], payload["steps"]) == ("as it was", 5)


def test_the_callback_sees_each_status_once_and_its_failure_stops_nothing(driven):
    seen = []

    def callback(record):
        seen.append((record.request.plan.stages[0].payload["prompt"], str(record.status)))
        raise RuntimeError("the window is gone")

    driven.service.set_status_callback(callback)
    for prompt in ("one", "two"):
        add_to_queue(driven, prompt)
    driven.service.run_pending()

    for prompt in ("one", "two"):
        own = [status for whose, status in seen if whose == prompt]
        assert own == ["queued", "running", "completed"]
