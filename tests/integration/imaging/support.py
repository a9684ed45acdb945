"""The image API as a stand-in and as a server, and what the tests do with the application."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import httpx
from tests.processes import of_service

from imaging.client import ApiError
from imaging.state import Draft
from stackproof import lifecycle, wait_until

ROOT = Path(__file__).parents[3]
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


def journal(api_url):
    """What the server was asked for at an address, oldest first."""
    answer = httpx.get(f"{api_url}/journal").raise_for_status()
    return [(call["stage"], call["payload"]) for call in answer.json()["requests"]]


def image_size(path):
    """Width and height of a PNG file."""
    content = Path(path).read_bytes()
    assert content.startswith(b"\x89PNG")
    return struct.unpack(">II", content[16:24])


def answering(content):
    """A server that always gives the same answer."""
    return httpx.MockTransport(lambda request: httpx.Response(200, content=content))


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
    stack_request = lifecycle.StackRequest(folder, environment, suite="integration")
    resolved = lifecycle.resolve(stack_request)
    started = lifecycle.up(resolved, print, hold=True)
    try:
        assert of_service(resolved.run, "image-api") != []
        yield started.stack
    finally:
        lifecycle.down(resolved, print, force=True)
        assert of_service(resolved.run, "image-api") == []
        assert not (folder / "state").exists()


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
