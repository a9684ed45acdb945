"""The jobs, as the controllers see them: submit, hold, cancel, watch."""

from __future__ import annotations

import logging

from imaging.history import JobHistory
from imaging.jobs import JobRecord, JobRequest, RunMode
from imaging.pipeline import PipelineRunner
from imaging.runner import SingleNodeJobRunner, StatusCallback

log = logging.getLogger(__name__)


class JobService:
    """Owns the job history and its runner.

    Attributes:
        history: All jobs.
        runner: Runs them.
        interrupted: Jobs that an earlier process was at when it died.
    """

    def __init__(
        self, history: JobHistory, pipeline: PipelineRunner, *, background: bool = True
    ) -> None:
        """Take the history over.

        Args:
            history: The jobs.
            pipeline: Runs one.
            background: Run jobs in a thread; else somebody calls `run_pending`.

        Raises:
            HistoryInUse: If another process runs the jobs of this history.
        """
        self._callback: StatusCallback | None = None
        self.history = history
        self.runner = SingleNodeJobRunner(history, pipeline, self._tell)
        self.interrupted = history.take_over()
        for job in self.interrupted:
            log.warning("job %s: %s", job.job_id, job.error_message)
        if background:
            self.runner.start()

    def set_status_callback(self, callback: StatusCallback | None) -> None:
        """Have something told of each change of a job's status, in the thread that made it."""
        self._callback = callback

    def enqueue(self, request: JobRequest) -> str:
        """Put a job into the history, queued; returns its id."""
        added = self.history.add(request)
        self._tell(added)
        return added.job_id

    def submit_queued(self, request: JobRequest) -> str:
        """Have a job run when it is its turn; returns its id."""
        return self._submit(request, RunMode.QUEUE)

    def submit_direct(self, request: JobRequest) -> str:
        """Have a job run as soon as the current one is done; returns its id."""
        return self._submit(request, RunMode.DIRECT)

    def run_now(self, request: JobRequest) -> JobRecord:
        """Run a job in the caller's thread; returns its final record."""
        return self.runner.run_now(request)

    def run_next_now(self) -> JobRecord | None:
        """Run the next job in the caller's thread, paused or not; None where there is none."""
        return self.runner.run_once(even_paused=True)

    def run_pending(self) -> list[JobRecord]:
        """Run all jobs that wait, in the caller's thread; returns their records."""
        return self.runner.run_pending()

    def pause(self) -> None:
        """Hold the queue."""
        self.runner.pause()

    def resume(self) -> None:
        """Let the queue go on."""
        self.runner.resume()

    def cancel_job(self, job_id: str) -> bool:
        """Cancel a job, queued or running; tells whether it was one of the two."""
        cancelled = self.history.cancel_queued(job_id)
        if cancelled is None:
            return self.runner.cancel_current(job_id=job_id) is not None
        self._tell(cancelled)
        return True

    def cancel_current(self, *, return_to_queue: bool = False) -> str | None:
        """Cancel the running job, for good or for later; returns its id, None if there is none."""
        return self.runner.cancel_current(return_to_queue=return_to_queue)

    def stop(self) -> None:
        """Cancel the running job and give the history back; queued jobs stay in it."""
        self.runner.stop()
        self.history.close()

    def _submit(self, request: JobRequest, mode: RunMode) -> str:
        if request.run_mode is not mode:
            raise ValueError(f"this job's run mode is {request.run_mode}, not {mode}")
        job_id = self.enqueue(request)
        self.runner.wake()
        return job_id

    def _tell(self, record: JobRecord) -> None:
        if self._callback is None:
            return
        try:
            self._callback(record)
        except Exception:  # a window that is gone must not stop the queue
            log.exception("the status callback failed for job %s", record.job_id)
