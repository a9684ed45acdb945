"""Tool calls that run on their own: kept in the database, so that they survive the server."""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from memory.claims import Claims
from memory.database import Database
from memory.refusals import InvalidCallError, ToolFailedError
from memory.settings import Settings

log = logging.getLogger(__name__)
Call = Callable[[str, Mapping[str, Any]], dict[str, Any]]


class Jobs:
    """The jobs of a home.

    Args:
        database: The home's database.
        settings: Who this process is, and how long a silent one keeps its work.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings
        self.claims = Claims(
            database,
            settings,
            table="job",
            free="(state = 'queued' OR (state = 'running' AND lease < :now))",
            begin="state = 'running', starts = starts + 1, updated = :now,",
        )

    def start(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a call to be made; returns its job."""
        job, now = f"job-{uuid.uuid4().hex}", time.time()
        with self._database.writing() as db:
            db.execute(
                "INSERT INTO job (id, tool, arguments, state, created, updated) "
                "VALUES (?, ?, ?, 'queued', ?, ?)",
                (job, tool, json.dumps(arguments), now, now),
            )
        return {"job_id": job, "state": "queued"}

    def poll(self, job: str) -> dict[str, Any]:
        """How a job is, and what came of it.

        Raises:
            ToolFailedError: If there is no such job.
        """
        with self._database.reading() as db:
            row = db.execute("SELECT * FROM job WHERE id = ?", (job,)).fetchone()
        if row is None:
            raise ToolFailedError("JOB_NOT_FOUND", f"there is no job {job!r}")
        found = {"job_id": job, "state": row["state"], "tool": row["tool"], "starts": row["starts"]}
        if row["result"]:
            found["result" if row["state"] == "completed" else "error"] = json.loads(row["result"])
        return found

    def cancel(self, job: str) -> dict[str, Any]:
        """End a job that has not ended; what it does meanwhile is thrown away."""
        with self._database.writing() as db:
            db.execute(
                "UPDATE job SET state = 'cancelled', updated = ? "
                "WHERE id = ? AND state IN ('queued', 'running')",
                (time.time(), job),
            )
        return self.poll(job)

    def run_next(self, call: Call) -> bool:
        """Run a job that nobody runs; tells whether there was one.

        Args:
            call: Calls a tool.
        """
        with self.claims.next() as row:
            if row is None:
                return False
            state, result = _outcome(call, row["tool"], json.loads(row["arguments"]))
            self._end(row["id"], state, result)
        return True

    def _end(self, job: str, state: str, result: Mapping[str, Any]) -> None:
        """Keep what came of a job, unless it was cancelled or somebody else has it by now."""
        with self._database.writing() as db:
            db.execute(
                "UPDATE job SET state = ?, result = ?, updated = ? "
                "WHERE id = ? AND state = 'running' AND owner = ?",
                (state, json.dumps(result), time.time(), job, self._settings.server_id),
            )


def _outcome(call: Call, tool: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """How a call has ended, and what came of it."""
    try:
        return "completed", call(tool, arguments)
    except ToolFailedError as failure:
        return "failed", failure.told()
    except InvalidCallError as error:
        return "failed", {"code": "INVALID_CALL", "message": str(error)}
    except Exception as error:
        log.exception("%s has failed", tool)
        return "failed", {"code": "INTERNAL", "message": f"{type(error).__name__}: {error}"}
