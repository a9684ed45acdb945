"""The two named scenarios of the imaging application: a direct run and a queued one.

Each runs in one process with a stand-in for the image API, and with a real HTTP server.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.imaging.conftest import (
    api_url,
    application,
    driven,
    image_api,
    over_http,
    stub,
)
from tests.integration.imaging.support import (
    ALL_STAGES,
    finished,
    image_size,
    journal,
)

from imaging.state import Draft

__all__ = ["api_url", "application", "driven", "image_api", "over_http", "stub"]

pytestmark = pytest.mark.integration


def test_direct_run_now_end_to_end(application, stub):
    application.state.draft = Draft(prompt="a lighthouse", width=256, height=256, steps=5)

    job_id = application.controller.on_run_job_now_v2()
    record = finished(application, job_id)

    assert (record.status, record.error_message) == ("completed", None)
    assert record.run_mode == "direct"
    assert record.source == "run_now"
    assert (record.prompt_source, record.prompt_pack_id) == ("manual", None)
    assert record.created_at <= record.started_at <= record.completed_at
    assert record.duration_ms >= 0
    [(stage, payload)] = stub.calls
    assert stage == "txt2img"
    assert payload["prompt"] == "a lighthouse"
    assert (payload["steps"], payload["width"], payload["height"]) == (5, 256, 256)
    assert [Path(path).read_bytes() for path in record.outputs] == [b"image 1 of txt2img"]
    assert application.history.latest_job() == record


def test_queue_run_end_to_end(driven, stub):
    driven.state.packs = {"pack-123": "a harbour at night"}
    driven.state.draft = Draft(pack_id="pack-123", stages=("upscale", "txt2img"))

    job_id = driven.controller.on_add_job_to_queue_v2()
    waiting = driven.history.job(job_id)
    assert (waiting.status, waiting.started_at, stub.calls) == ("queued", None, [])
    driven.service.run_pending()

    record = driven.history.latest_job()
    assert (record.job_id, record.status, record.error_message) == (job_id, "completed", None)
    assert record.run_mode == "queue"
    assert record.source == "add_to_queue"
    assert record.prompt_source == "pack"
    assert record.prompt_pack_id == "pack-123"
    assert stub.stages() == ["txt2img", "upscale"]
    assert stub.prompts() == ["a harbour at night"]
    assert record.stage_count == len(stub.calls)
    assert record.stage_flags == {"txt2img": True, "upscale": True, "detailer": False}
    assert [made.stage for made in record.result] == stub.stages()
    assert [Path(path).read_bytes() for path in record.outputs] == [
        b"image 1 of txt2img",
        b"image 2 of upscale",
    ]


def test_direct_run_now_over_http(over_http, api_url):
    over_http.state.draft = Draft(prompt="a lighthouse")

    record = finished(over_http, over_http.controller.on_run_job_now_v2())

    assert (record.status, record.error_message) == ("completed", None)
    assert (record.run_mode, record.source) == ("direct", "run_now")
    [(stage, payload)] = journal(api_url)
    assert (stage, payload["prompt"]) == ("txt2img", "a lighthouse")
    assert (payload["steps"], payload["width"], payload["height"]) == (5, 256, 256)
    assert [image_size(path) for path in record.outputs] == [(256, 256)]


def test_queue_run_over_http(over_http, api_url):
    over_http.state.packs = {"pack-123": "a harbour at night"}
    over_http.state.draft = Draft(pack_id="pack-123", stages=ALL_STAGES)

    record = finished(over_http, over_http.controller.on_add_job_to_queue_v2())

    assert (record.status, record.error_message) == ("completed", None)
    assert (record.run_mode, record.prompt_pack_id) == ("queue", "pack-123")
    assert [stage for stage, _ in journal(api_url)] == [
        "txt2img",
        "extra-single-image",
        "img2img",
    ]
    assert [image_size(path) for path in record.outputs] == [(256, 256), (512, 512), (512, 512)]
