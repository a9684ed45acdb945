"""The application without a window: `python -m imaging --help`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from imaging.application import Application, opened
from imaging.client import ApiClient
from imaging.history import HistoryInUse, JobHistory
from imaging.jobs import JobRecord, JobStatus
from imaging.planning import PlanError, Stage


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit status."""
    options = _parser().parse_args(argv)
    history: Path = options.folder / "history.db"
    if options.command == "history":
        for record in JobHistory(history).jobs():
            _show(record)
        return 0
    try:
        with (
            ApiClient(options.api) as api,
            opened(history, options.folder / "outputs", api, background=False) as application,
        ):
            return _act(application, options)
    except (PlanError, HistoryInUse) as error:
        sys.stderr.write(f"imaging: {error}\n")
        return 2


def _act(application: Application, options: argparse.Namespace) -> int:
    if options.command == "work":
        done = application.service.run_pending()
        for record in done:
            _show(record)
        return 0 if all(one.status is JobStatus.COMPLETED for one in done) else 1
    draft = application.state.draft
    draft.prompt, draft.stages = options.prompt, tuple(options.stage or [Stage.TXT2IMG])
    _show(application.history.job(application.controller.on_add_job_to_queue_v2()))
    return 0


def _show(record: JobRecord) -> None:
    shown = {
        "job_id": record.job_id,
        "status": record.status,
        "job": record.payload_summary,
        "outputs": record.outputs,
        "error": record.error_message,
    }
    sys.stdout.write(json.dumps(shown) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="imaging", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(), help="of the history and the images")
    parser.add_argument("--api", default="http://127.0.0.1:7860", help="address of the image API")
    commands = parser.add_subparsers(dest="command", required=True)
    queue = commands.add_parser("queue", help="add a job to the queue")
    queue.add_argument("prompt")
    queue.add_argument("--stage", action="append", choices=list(Stage))
    commands.add_parser("work", help="run all jobs that wait, then end")
    commands.add_parser("history", help="show all jobs")
    return parser


if __name__ == "__main__":
    sys.exit(main())
