"""Puts the layers together: controllers, job service, runner, pipeline, client, history."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from imaging.app_controller import AppController
from imaging.client import ImageApi
from imaging.history import JobHistory
from imaging.pipeline import PipelineRunner
from imaging.pipeline_controller import PipelineController
from imaging.service import JobService
from imaging.state import AppState


@dataclass(frozen=True)
class Application:
    """An open application.

    Attributes:
        controller: The entry points.
        service: The jobs.
    """

    controller: AppController
    service: JobService

    @property
    def state(self) -> AppState:
        """The draft and all else that the user sets up."""
        return self.controller.state

    @property
    def history(self) -> JobHistory:
        """All jobs."""
        return self.service.history


@contextmanager
def opened(
    history: Path, outputs: Path, api: ImageApi, *, background: bool = True
) -> Iterator[Application]:
    """An application for the time of a `with` block.

    Args:
        history: File of the job history.
        outputs: Folder of the images.
        api: What makes them.
        background: Run jobs in a thread; else `service.run_pending` is called.

    Raises:
        HistoryInUse: If another process runs the jobs of this history.
    """
    state = AppState()
    service = JobService(JobHistory(history), PipelineRunner(api, outputs), background=background)
    try:
        yield Application(AppController(state, PipelineController(state, service)), service)
    finally:
        service.stop()
