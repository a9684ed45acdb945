"""Runs jobs on the one node there is: one job at a time, whoever asks."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from imaging.client import ApiError
from imaging.history import JobHistory
from imaging.jobs import JobRecord, JobRequest, JobStatus, RunMode, StageResult
from imaging.pipeline import Cancelled, CancelToken, PipelineRunner, StageFailed

log = logging.getLogger(__name__)

StatusCallback = Callable[[JobRecord], None]
"""Told of each change of a job's status, in the thread that made it."""


@dataclass
class _Current:
    """The job that is being run."""

    job: JobRecord
    token: CancelToken = field(default_factory=CancelToken)
    return_to_queue: bool = False


class SingleNodeJobRunner:
    """Takes jobs from the history and runs them, in a thread of its own or in the caller's.

    Attributes:
        history: The jobs, and so the queue.
        pipeline: Runs one.
        tell: Told of each change of a job's status.
    """

    def __init__(self, history: JobHistory, pipeline: PipelineRunner, tell: StatusCallback) -> None:
        self.history = history
        self.pipeline = pipeline
        self.tell = tell
        self._node = threading.Lock()  # held by whoever runs a job
        self._current_lock = threading.Lock()  # held to look at the current job, or to change it
        self._current: _Current | None = None
        self._paused = threading.Event()
        self._stopping = threading.Event()
        self._news = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        """Whether the thread takes jobs."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def is_paused(self) -> bool:
        """Whether queued jobs are left where they are."""
        return self._paused.is_set()

    def start(self) -> None:
        """Run jobs in a thread from now on."""
        if not self.is_running:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._work, name="job-runner", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Cancel the current job and end the thread; queued jobs stay queued."""
        self._stopping.set()
        self._news.set()
        self.cancel_current()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def pause(self) -> None:
        """Leave queued jobs where they are; the current job and direct ones go on."""
        self._paused.set()

    def resume(self) -> None:
        """Take queued jobs again."""
        self._paused.clear()
        self.wake()

    def wake(self) -> None:
        """Say that there may be something to do."""
        self._news.set()

    def run_once(self, *, even_paused: bool = False) -> JobRecord | None:
        """Run the next job in the caller's thread; None where there is none."""
        with self._node:
            held_back = self.is_paused and not even_paused
            modes = [RunMode.DIRECT] if held_back else list(RunMode)
            return self._run(partial(self.history.claim_next, modes))

    def run_pending(self) -> list[JobRecord]:
        """Run all jobs that wait, in the caller's thread; returns their records."""
        done = []
        while (record := self.run_once()) is not None:
            done.append(record)
        return done

    def run_now(self, request: JobRequest) -> JobRecord:
        """Run a new job in the caller's thread, before any other that waits."""
        with self._node:
            added = self.history.add(request)
            self.tell(added)
            record = self._run(partial(self.history.claim, added.job_id))
        return record or self.history.job(added.job_id)  # it may have been cancelled in between

    def cancel_current(
        self, *, job_id: str | None = None, return_to_queue: bool = False
    ) -> str | None:
        """Ask the current job to end at the next chance.

        Args:
            job_id: Only if it is this one.
            return_to_queue: Put it back to its place, and pause, so that it is not taken at once.
                A direct job has no place in the queue; it is cancelled for good.

        Returns:
            The job's id; None if it is not the current one, or there is none.
        """
        with self._current_lock:  # so that the interruption can't hit the next job
            current = self._current
            if current is None or job_id not in {None, current.job.job_id}:
                return None
            if return_to_queue and current.job.run_mode is RunMode.QUEUE:
                self.pause()
                current.return_to_queue = True
            current.token.cancel()
            try:
                self.pipeline.interrupt()
            except ApiError as error:
                log.warning("job %s ends after its stage only: %s", current.job.job_id, error)
            return current.job.job_id

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._news.clear()
            if self.run_once() is None and not self._stopping.is_set():
                self._news.wait()

    def _run(self, claim: Callable[[], JobRecord | None]) -> JobRecord | None:
        with self._current_lock:  # claimed and current at once: a job can be cancelled at any time
            job = claim()
            if job is None:
                return None
            self._current = current = _Current(job)
        if self._stopping.is_set():
            current.token.cancel()
        self.tell(job)
        record = self._outcome(current)
        self.tell(record)
        return record

    def _outcome(self, current: _Current) -> JobRecord:
        job_id, started = current.job.job_id, time.monotonic()
        error = self._error(current.job, current.token)
        with self._current_lock:
            self._current = None
        status, message = JobStatus.COMPLETED, None
        if isinstance(error, Cancelled):
            if current.return_to_queue:
                return self.history.return_to_queue(job_id)
            status, message = JobStatus.CANCELLED, "cancelled while running"
        elif error is not None:
            status, message = JobStatus.FAILED, str(error)
        duration = round((time.monotonic() - started) * 1000)
        return self.history.finish(job_id, status, error_message=message, duration_ms=duration)

    def _error(self, job: JobRecord, token: CancelToken) -> Exception | None:
        """Run the stages; what went wrong is a value, since the queue goes on."""
        result: list[StageResult] = []

        def made(stage: StageResult) -> None:
            result.append(stage)
            self.history.made(job.job_id, result)

        def at_stage(stage: str) -> None:
            self.history.at_stage(job.job_id, stage)

        try:
            self.pipeline.run(job.job_id, job.request.plan, token, at_stage=at_stage, made=made)
        except (StageFailed, Cancelled) as error:
            return error
        except Exception as error:  # such as a full disk
            log.exception("job %s", job.job_id)
            return StageFailed(f"{type(error).__name__}: {error}")
        return None
