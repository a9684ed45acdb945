"""The application with a real HTTP server, a service of `systems/imaging/compose.yaml`."""

from __future__ import annotations

import os
import signal

import pytest
from tests.integration.imaging.support import (
    ALL_STAGES,
    DONE_WITHIN,
    add_to_queue,
    answering,
    finished,
    image_size,
    journal,
    working,
)

from imaging.application import opened
from imaging.client import ApiClient, ApiError
from imaging.history import JobHistory
from imaging.jobs import JobStatus
from stackproof import wait_until

pytestmark = pytest.mark.integration


def test_an_error_of_the_server_is_recorded_and_the_queue_goes_on(over_http):
    broken = finished(over_http, add_to_queue(over_http, "fail:txt2img"))
    sound = finished(over_http, add_to_queue(over_http, "a lighthouse"))

    assert broken.status == "failed"
    assert "txt2img (stage 1 of 1): /sdapi/v1/txt2img: status 500" in broken.error_message
    assert "OutOfMemoryError" in broken.error_message
    assert sound.status == "completed"


def test_a_server_that_is_away_is_recorded_as_such(tmp_path):
    with (
        ApiClient("http://127.0.0.1:1") as client,
        opened(tmp_path / "history.db", tmp_path / "outputs", client) as application,
    ):
        record = finished(application, add_to_queue(application, "a lighthouse"))

    assert record.status == "failed"
    assert "/sdapi/v1/txt2img: ConnectError" in record.error_message


def test_cancelling_over_http_interrupts_the_server(over_http, api_url):
    job_id = add_to_queue(over_http, "hold:txt2img", stages=ALL_STAGES)
    wait_until(lambda: journal(api_url), timeout=DONE_WITHIN, what="the server has the request")

    assert over_http.service.cancel_current() == job_id

    assert finished(over_http, job_id).status == "cancelled"
    assert [stage for stage, _ in journal(api_url)] == ["txt2img", "interrupt"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"<html>", "/sdapi/v1/txt2img: the answer is not JSON: '<html>'"),
        (b"[]", "/sdapi/v1/txt2img: the answer has no 'images'"),
        (b'{"images": []}', "/sdapi/v1/txt2img: the answer has no 'images'"),
        (b'{"images": ["a?"]}', "/sdapi/v1/txt2img: an image of the answer is not base64"),
        (b'{"images": [7]}', "/sdapi/v1/txt2img: an image of the answer is not base64"),
    ],
)
def test_an_answer_without_an_image_is_an_error_that_says_so(answer, reason):
    with (
        ApiClient("http://image-api", transport=answering(answer)) as client,
        pytest.raises(ApiError) as caught,
    ):
        client.txt2img({})
    assert str(caught.value) == reason


def test_an_image_may_come_as_a_data_url():
    answer = b'{"images": ["data:image/png;base64,aW1hZ2U="]}'
    with ApiClient("http://image-api", transport=answering(answer)) as client:
        assert client.txt2img({}) == [b"image"]


def test_a_job_whose_process_was_killed_is_found_and_told_of_at_the_next_start(tmp_path, api_url):
    client = ApiClient(api_url)
    places = tmp_path / "history.db", tmp_path / "outputs"
    with client, opened(*places, client, background=False) as application:
        struck = add_to_queue(application, "hold:img2img", stages=ALL_STAGES)
        waiting = add_to_queue(application, "a lighthouse")
    history = JobHistory(places[0])

    def in_last_stage():
        assert process.poll() is None, process.stdout.read()
        return [stage for stage, _ in journal(api_url)][-1:] == ["img2img"]

    with working(tmp_path, api_url) as process:
        wait_until(in_last_stage, timeout=DONE_WITHIN, what="the server holds the last stage")
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert (history.job(struck).status, history.job(waiting).status) == ("running", "queued")

    with working(tmp_path, api_url) as process:
        output, _ = process.communicate(timeout=DONE_WITHIN)
        assert process.returncode == 0, output

    record = history.job(struck)
    assert record.status == JobStatus.FAILED
    assert record.error_message == "interrupted: the process that ran it ended during detailer"
    assert record.completed_at is not None
    assert [image_size(path) for path in record.outputs] == [(256, 256), (512, 512)]
    assert history.job(waiting).status == JobStatus.COMPLETED
    assert [stage for stage, _ in journal(api_url)].count("img2img") == 1
