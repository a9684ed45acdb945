"""The application controller: what the buttons of a window, or a command line, call."""

from __future__ import annotations

from imaging.jobs import RunMode
from imaging.pipeline_controller import PipelineController
from imaging.state import AppState


class AppController:
    """The entry points; none of them waits for an image.

    Attributes:
        state: What the window shows and changes.
        pipeline: Submits jobs.
    """

    def __init__(self, state: AppState, pipeline: PipelineController) -> None:
        self.state = state
        self.pipeline = pipeline

    def on_run_job_now_v2(self) -> str:
        """The button "Run now": the draft, ahead of the queue; returns the job's id."""
        return self.pipeline.submit(RunMode.DIRECT, "run_now")

    def on_add_job_to_queue_v2(self) -> str:
        """The button "Add to queue": the draft, in turn; returns the job's id."""
        return self.pipeline.submit(RunMode.QUEUE, "add_to_queue")

    def start_run_v2(self) -> str:
        """The button "Run": the draft, in the run mode that is set; returns the job's id."""
        return self.pipeline.submit(RunMode(self.state.run_mode), "run")
