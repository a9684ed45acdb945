"""What is there of some runs: processes, claimed ports, files, control groups, things in Docker.

Everything that a run makes carries its identity: a run that has ended well has no entry, and what
other sessions do at the same time makes no difference.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stackproof.errors import WaitTimeout
from stackproof.reaper.lease import Launched
from stackproof.reaper.leftovers import find_runs
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.sweep import PROC, all_pids
from stackproof.waiting import CLOCK, Clock, wait_until

CONTROL_GROUPS = Path("/sys/fs/cgroup")

_MARK = re.compile(rb"(?:^|\0)STACKPROOF_RUN=([^\0]*)")
_CLAIM = re.compile(r"(?<!\d)(\d++) @stackproof-port-(\d++)$")


def left_behind(runs: Sequence[Launched], environment: Mapping[str, str]) -> list[str]:
    """What there still is of runs that should have ended, each thing in words.

    Args:
        runs: The runs.
        environment: The process environment.
    """
    if not runs:
        return []
    found = [*_processes(runs), *_reapers(runs), *_files(runs), *_control_groups(runs)]
    in_docker = [run for run in runs if run.in_docker]
    if in_docker:
        from stackproof.engines.compose.inventory import left_in_docker

        run_ids = {run.run_id for run in in_docker}
        projects = {run.run.project for run in in_docker}
        found += left_in_docker(run_ids, projects, environment)
    return found


def wait_until_gone(
    runs: Sequence[Launched],
    environment: Mapping[str, str],
    *,
    seconds: float,
    clock: Clock = CLOCK,
) -> list[str]:
    """Wait until nothing is there of runs, for those that a reaper is still ending.

    Returns:
        What is left after so many seconds.
    """
    try:
        wait_until(
            lambda: not left_behind(runs, environment),
            timeout=seconds,
            what="nothing is left",
            clock=clock,
        )
    except WaitTimeout:
        return left_behind(runs, environment)
    return []


def runs_of_owner(root: Path, pid: int) -> list[Launched]:
    """The runs that a process holds or, until its reapers are through with it, has held.

    Args:
        root: The state root.
        pid: The process's number.
    """
    return [
        Launched(RunFolder(root, run.project), run.run_id, run.reaper, bool(run.docker_host))
        for run in find_runs(root)
        if run.owner is not None and run.owner.pid == pid and not run.path.name.startswith(".")
    ]


def _processes(runs: Sequence[Launched]) -> Iterator[str]:
    projects = {run.run_id: run.run.project for run in runs}
    for pid in all_pids():
        with contextlib.suppress(OSError):
            found = _MARK.search(Path(PROC, str(pid), "environ").read_bytes())
            project = projects.get(found[1].decode(errors="replace")) if found else None
            if project is not None and pid != os.getpid():
                yield f"process {pid} of {project}: {_command(pid)}"


def _command(pid: int) -> str:
    words = Path(PROC, str(pid), "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    return b" ".join(words).decode(errors="backslashreplace")[:120]


def _reapers(runs: Sequence[Launched]) -> Iterator[str]:
    for run in runs:
        if run.reaper is not None and run.reaper.is_alive():
            ports = held_ports(run.reaper.pid)
            held = f", which holds the ports {', '.join(map(str, ports))}" if ports else ""
            yield f"process {run.reaper.pid} of {run.run.project}: its reaper{held}"


def held_ports(pid: int) -> list[int]:
    """The ports that a process has claimed."""
    claims: dict[str, int] = {}
    for line in Path(PROC, "net/unix").read_text(encoding="utf-8").splitlines():
        found = _CLAIM.search(line)
        if found:
            claims[f"socket:[{found[1]}]"] = int(found[2])
    ports = set()
    with contextlib.suppress(OSError):
        for entry in Path(PROC, str(pid), "fd").iterdir():
            with contextlib.suppress(OSError):
                ports.add(claims.get(str(entry.readlink()), 0))
    return sorted(ports - {0})


def _files(runs: Sequence[Launched]) -> Iterator[str]:
    for run in runs:
        drafts = run.run.path.with_name(f".new-{run.run_id}")
        for path in (run.run.path, run.run.kept, drafts):
            if path.exists():
                yield f"folder {path}"


def _control_groups(runs: Sequence[Launched]) -> Iterator[str]:
    names = {f"stackproof-{run.run_id}" for run in runs}
    for pattern in ("stackproof-*", "*/stackproof-*"):
        for path in CONTROL_GROUPS.glob(pattern):
            if path.name in names:
                yield f"control group {path}"
