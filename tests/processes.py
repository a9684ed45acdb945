"""Finds the processes of a test's own runs, whatever runs beside it under the same names."""

import os
from contextlib import suppress
from pathlib import Path

import psutil

from stackproof.reaper.leftovers import read_run
from stackproof.reaper.sweep import PROC, all_pids, marked


def of_service(run, service):
    """The processes of a service of a run that has come up on the process engine.

    Args:
        run: The run folder; the names in it may be those of another state root as well.
        service: Name of the service.
    """
    found = marked(f"STACKPROOF_SERVICE={run.project}/{service}", f"TMPDIR={run.tmp(service)}")
    return found or _in_room(run, service)


def _in_room(run, service):
    """In a private world a service carries no mark: it sees what it would in any other copy."""
    state = read_run(run.path)
    found = []
    with suppress(psutil.NoSuchProcess):
        below = state and psutil.Process(state.supervisor.pid).children(recursive=True)
        for process in below or ():
            with suppress(psutil.Error):
                if process.environ().get("HOSTNAME") == service:
                    found.append(process.pid)
    return found


def running_below(folder):
    """Every process, a line each, whose arguments or environment name something in a folder."""
    found = []
    for pid in all_pids():
        if pid == os.getpid():
            continue
        with suppress(OSError):
            line = Path(PROC, str(pid), "cmdline").read_bytes()
            environment = Path(PROC, str(pid), "environ").read_bytes()
            if os.fsencode(folder) in line + environment:
                found.append(f"process {pid}: {line.replace(bytes(1), b' ').decode()}")
    return found
