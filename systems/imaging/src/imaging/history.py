"""The job history: every job, from the moment it is asked for, in a SQLite file.

The file is the queue as well, so that a queued job outlives the process. One process at a time
runs the jobs of a file, which a lock beside it ensures; the kernel frees the lock when its holder
dies, so a job that is `running` while nobody holds the lock was interrupted. Others may read.
"""

from __future__ import annotations

import fcntl
import json
import sqlite3
import uuid
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from imaging.jobs import (
    JobRecord,
    JobRequest,
    JobStatus,
    Priority,
    PromptSource,
    RunMode,
    StageResult,
)
from imaging.planning import Plan

SCHEMA = """
create table if not exists jobs (
    number integer primary key autoincrement,
    job_id text not null unique,
    status text not null,
    run_mode text not null,
    source text not null,
    priority integer not null,
    prompt_source text not null,
    prompt_pack_id text,
    plan text not null,
    created_at text not null,
    started_at text,
    completed_at text,
    duration_ms integer,
    current_stage text,
    result text not null default '[]',
    error_message text
)
"""

BUSY_TIMEOUT = 10.0  # seconds; another process's read or write takes milliseconds

INTERRUPTED = "interrupted: the process that ran it ended"


class HistoryInUse(Exception):
    """Another process runs the jobs of this file."""


class JobHistory:
    """The jobs of a SQLite file, which is made if it is not there.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[bytes] | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        self._ask(SCHEMA)

    def take_over(self) -> list[JobRecord]:
        """Become the one process that runs the jobs, and close what a dead one has left open.

        Returns:
            The jobs that were interrupted, which have failed now.

        Raises:
            HistoryInUse: If another process runs them.
        """
        lock = self.path.with_name(f"{self.path.name}.lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise HistoryInUse(f"another process runs the jobs of {self.path}") from None
        self._lock = lock
        return self._records(
            "update jobs set status = ?, completed_at = utc_now(), error_message = "
            "? || coalesce(' during ' || current_stage, '') where status = ? returning *",
            [JobStatus.FAILED, INTERRUPTED, JobStatus.RUNNING],
        )

    def close(self) -> None:
        """Let another process run the jobs."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def add(self, request: JobRequest) -> JobRecord:
        """Remember a new job, queued."""
        values = {
            "job_id": uuid.uuid4().hex,
            "status": JobStatus.QUEUED,
            "run_mode": request.run_mode,
            "source": request.source,
            "priority": int(request.priority),
            "prompt_source": request.prompt_source,
            "prompt_pack_id": request.prompt_pack_id,
            "plan": json.dumps(request.plan.to_json()),
        }
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        sql = (
            f"insert into jobs (created_at, {names}) values (utc_now(), {marks}) "  # noqa: S608 - the names stand above
            "returning *"
        )
        return self._records(sql, list(values.values()))[0]

    def claim_next(self, modes: Collection[RunMode]) -> JobRecord | None:
        """Take the job whose turn it is: direct ones first, then by priority, then the oldest."""
        found = self._records(
            "update jobs set status = ?, started_at = utc_now() where number = ("  # noqa: S608 - only marks are put in
            f"select number from jobs where status = ? and run_mode in ({_marks(modes)}) "
            "order by run_mode = ? desc, priority desc, number limit 1) returning *",
            [JobStatus.RUNNING, JobStatus.QUEUED, *modes, RunMode.DIRECT],
        )
        return found[0] if found else None

    def claim(self, job_id: str) -> JobRecord | None:
        """Take a certain job, if it is queued still."""
        found = self._records(
            "update jobs set status = ?, started_at = utc_now() where job_id = ? and status = ? "
            "returning *",
            [JobStatus.RUNNING, job_id, JobStatus.QUEUED],
        )
        return found[0] if found else None

    def at_stage(self, job_id: str, stage: str) -> None:
        """Note which stage a running job is at."""
        self._ask("update jobs set current_stage = ? where job_id = ?", [stage, job_id])

    def made(self, job_id: str, result: Sequence[StageResult]) -> None:
        """Note what a running job has made so far."""
        text = json.dumps([asdict(one) for one in result])
        self._ask("update jobs set result = ? where job_id = ?", [text, job_id])

    def finish(
        self,
        job_id: str,
        status: JobStatus,
        *,
        error_message: str | None = None,
        duration_ms: int | None = None,
    ) -> JobRecord:
        """Close a running job."""
        sql = (
            "update jobs set status = ?, completed_at = utc_now(), duration_ms = ?, "
            "error_message = ?, current_stage = case when ? then null else current_stage end "
            "where job_id = ? and status = ? returning *"
        )
        is_well = status is JobStatus.COMPLETED
        values = [status, duration_ms, error_message, is_well, job_id, JobStatus.RUNNING]
        return self._records(sql, values)[0]

    def return_to_queue(self, job_id: str) -> JobRecord:
        """Put a running job back to its old place in the queue, as if it had not been begun."""
        return self._records(
            "update jobs set status = ?, started_at = null, current_stage = null, result = '[]' "
            "where job_id = ? and status = ? returning *",
            [JobStatus.QUEUED, job_id, JobStatus.RUNNING],
        )[0]

    def cancel_queued(self, job_id: str) -> JobRecord | None:
        """Cancel a job, if it is queued still."""
        found = self._records(
            "update jobs set status = ?, completed_at = utc_now(), error_message = ? "
            "where job_id = ? and status = ? returning *",
            [JobStatus.CANCELLED, "cancelled while queued", job_id, JobStatus.QUEUED],
        )
        return found[0] if found else None

    def job(self, job_id: str) -> JobRecord:
        """A certain job.

        Raises:
            KeyError: If there is none of that name.
        """
        found = self._records("select * from jobs where job_id = ?", [job_id])
        if not found:
            raise KeyError(job_id)
        return found[0]

    def jobs(self) -> list[JobRecord]:
        """All jobs, oldest first."""
        return self._records("select * from jobs order by number")

    def latest_job(self) -> JobRecord | None:
        """The job that was asked for last; None where there is none."""
        found = self._records("select * from jobs order by number desc limit 1")
        return found[0] if found else None

    def _records(self, sql: str, values: Sequence[object] = ()) -> list[JobRecord]:
        return [_record(row) for row in self._ask(sql, values)]

    def _ask(self, sql: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        """Run one statement, which is one transaction, on a connection of its own."""
        connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT, isolation_level=None)
        with closing(connection):
            connection.row_factory = sqlite3.Row
            # Asked by the statement itself, which may first have waited for another one.
            connection.create_function("utc_now", 0, _utc_now)
            return connection.execute(sql, values).fetchall()


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))


def _utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _record(row: sqlite3.Row) -> JobRecord:
    request = JobRequest(
        plan=Plan.from_json(json.loads(row["plan"])),
        run_mode=RunMode(row["run_mode"]),
        source=row["source"],
        prompt_source=PromptSource(row["prompt_source"]),
        prompt_pack_id=row["prompt_pack_id"],
        priority=Priority(row["priority"]),
    )
    made: list[dict[str, Any]] = json.loads(row["result"])
    return JobRecord(
        job_id=row["job_id"],
        request=request,
        status=JobStatus(row["status"]),
        created_at=row["created_at"],
        started_at=row["started_at"],
        completed_at=row["completed_at"],
        duration_ms=row["duration_ms"],
        current_stage=row["current_stage"],
        result=tuple(StageResult(one["stage"], tuple(one["outputs"])) for one in made),
        error_message=row["error_message"],
    )
