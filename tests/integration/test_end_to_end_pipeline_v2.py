"""The imaging application, end to end: from an entry point of its window to the job history.

The first part runs in one process, with a stand-in for the image API: no server, no Docker, no
GPU. The second one calls a real HTTP server, a service of `systems/imaging/compose.yaml`.
"""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from imaging.application import Application, opened
from imaging.client import ApiClient, ApiError
from imaging.history import HistoryInUse, JobHistory
from imaging.jobs import JobRequest, JobStatus, Priority, RunMode
from imaging.planning import PlanError, make_plan
from imaging.state import Draft
from stackproof import lifecycle, wait_until
from stackproof.reaper.sweep import marked

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parent.parent.parent
SOURCE = ROOT / "systems" / "imaging" / "src"
DONE_WITHIN = 30.0  # seconds; generous, since only a broken application needs them
ALL_STAGES = ("txt2img", "upscale", "detailer")


class StubApi:
    """Makes images of nothing; remembers what it was asked for, and can fail or hold a stage."""

    def __init__(self):
        self.calls = []
        self.failing = {}
        self.held = set()
        self.holding = threading.Event()
        self.interrupted = threading.Event()
        self.lock = threading.Lock()

    def txt2img(self, payload):
        return self._answer("txt2img", payload)

    def img2img(self, payload):
        return self._answer("detailer", payload)

    def upscale(self, payload):
        return self._answer("upscale", payload)

    def interrupt(self):
        self.interrupted.set()

    def stages(self):
        return [stage for stage, _ in self.calls]

    def prompts(self):
        return [payload["prompt"] for stage, payload in self.calls if stage == "txt2img"]

    def _answer(self, stage, payload):
        with self.lock:
            self.calls.append((stage, payload))
        if stage in self.failing:
            raise ApiError(self.failing[stage])
        if payload.get("prompt") in self.held:
            self.holding.set()
            assert self.interrupted.wait(DONE_WITHIN), "nobody has interrupted this"
            self.holding.clear()
            self.interrupted.clear()
        return [f"image {len(self.calls)} of {stage}".encode()]


@pytest.fixture
def stub():
    return StubApi()


@pytest.fixture
def application(tmp_path, stub) -> Iterator[Application]:
    """The application as its user has it: jobs run in the background."""
    with opened(tmp_path / "history.db", tmp_path / "outputs", stub) as made:
        yield made


@pytest.fixture
def driven(tmp_path, stub) -> Iterator[Application]:
    """The application without a thread of its own; the test says when jobs run."""
    with opened(tmp_path / "history.db", tmp_path / "outputs", stub, background=False) as made:
        yield made


def finished(application, job_id):
    """Wait until a job is final; gives its record in the history."""

    def final_record():
        record = application.history.job(job_id)
        return record if record.status.is_final else None

    return wait_until(final_record, timeout=DONE_WITHIN, what=f"job {job_id} is over")


def add_to_queue(application, prompt, **more):
    """Add a job to the queue, as the button does; gives its id."""
    application.controller.state.draft = Draft(prompt=prompt, **more)
    return application.controller.on_add_job_to_queue_v2()


def held_job(application, stub, prompt="held"):
    """Start a job that stays in its first stage until it is interrupted; gives its id."""
    stub.held.add(prompt)
    job_id = add_to_queue(application, prompt)
    wait_until(stub.holding.is_set, timeout=DONE_WITHIN, what="the job is in its first stage")
    return job_id


def statuses(application):
    """The status of every job by prompt."""
    return {
        job.request.plan.stages[0].payload["prompt"]: str(job.status)
        for job in application.history.jobs()
    }


# --- in one process -----------------------------------------------------------------------------


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


def test_a_queued_job_keeps_the_draft_that_it_was_made_of(driven, stub):
    add_to_queue(driven, "as it was")
    driven.state.draft.prompt = "changed since"
    driven.state.draft.steps = 50
    driven.service.run_pending()

    [(_, payload)] = stub.calls
    assert (payload["prompt"], payload["steps"]) == ("as it was", 5)


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


# --- with a real HTTP server --------------------------------------------------------------------


@contextmanager
def image_api_stack(folder):
    """The stack of `config/imaging.yaml` on free ports, for the time of a `with` block.

    It is run from a project folder of its own, since what somebody's `.env.integration` or
    environment says of another stack does not concern it.
    """
    (folder / "config").mkdir()
    shutil.copy(ROOT / "config" / "imaging.yaml", folder / "config")
    (folder / "systems").symlink_to(ROOT / "systems")
    kept = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith("STACKPROOF_") or name == "STACKPROOF_CACHE_DIR"
    }
    environment = {**kept, "STACKPROOF_STATE_DIR": str(folder / "state")}
    choice = lifecycle.Choice(folder, environment, suite="integration")
    blueprint = lifecycle.resolve(choice)
    started = lifecycle.up(blueprint, print, hold=True)
    mark = f"STACKPROOF_SERVICE={blueprint.plan.project}/image-api"
    try:
        assert marked(mark) != []
        yield started.stack
    finally:
        lifecycle.down(blueprint, print, force=True)
        assert marked(mark) == []
        assert not (folder / "state").exists()


@pytest.fixture(scope="module")
def image_api():
    """Address of the HTTP server; when it is taken down, nothing may be left."""
    with (
        tempfile.TemporaryDirectory(prefix="stackproof-test-") as folder,
        image_api_stack(Path(folder)) as stack,
    ):
        yield stack.url("image-api")


@pytest.fixture
def api_url(image_api):
    """An address of this test's own, below that of the server."""
    return f"{image_api}/test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def over_http(tmp_path, api_url) -> Iterator[Application]:
    """The application with its real client."""
    with (
        ApiClient(api_url, timeout=DONE_WITHIN) as client,
        opened(tmp_path / "history.db", tmp_path / "outputs", client) as made,
    ):
        yield made


def journal(api_url):
    """What the server was asked for at an address, oldest first."""
    answer = httpx.get(f"{api_url}/journal").raise_for_status()
    return [(call["stage"], call["payload"]) for call in answer.json()["requests"]]


def image_size(path):
    """Width and height of a PNG file."""
    content = Path(path).read_bytes()
    assert content.startswith(b"\x89PNG")
    return struct.unpack(">II", content[16:24])


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


def answering(content):
    """A server that always gives the same answer."""
    return httpx.MockTransport(lambda request: httpx.Response(200, content=content))


@contextmanager
def working(folder, api_url):
    """A process that runs the jobs that wait in a folder; dead at the end, whatever happens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "imaging", "--folder", str(folder), "--api", api_url, "work"],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


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
