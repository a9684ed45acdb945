"""Stopping containers in the way their stack file says, and ending them as a crash would."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from stackproof.engines.compose.containers import Containers
from stackproof.engines.compose.notes import Notes
from stackproof.reaper.sweep import ProcessId
from stackproof.waiting import wait_until

KILL_SECONDS = 30.0


def stop(containers: Containers, notes: Notes, services: Sequence[str]) -> None:
    """Stop services, in the way their stack file says.

    Args:
        containers: The run's containers.
        notes: Where it is noted that they were stopped on purpose.
        services: Their names.
    """
    for name in services:
        notes.stopped(name)
    with ThreadPoolExecutor(max(len(services), 1)) as pool:
        list(pool.map(lambda name: _stop(containers, name), services))


def _stop(containers: Containers, name: str) -> None:
    api, found = containers.client.api, containers.inspect(name)
    if found["State"]["Paused"]:
        api.unpause(found["Id"])
    api.stop(found["Id"], timeout=found["Config"].get("StopTimeout"))


def kill(containers: Containers, services: Sequence[str], name_of_signal: str) -> None:
    """Send a signal to the main process of services.

    A container that Docker itself is told to kill stays down whatever its restart policy says, so
    the process is ended directly where that is allowed: that is what a crash looks like.

    Args:
        containers: The run's containers.
        services: Their names.
        name_of_signal: Such as `SIGKILL`.
    """
    for name in services:
        found = containers.inspect(name)
        process = process_of(found)
        number = int(getattr(signal, name_of_signal, 0))
        if process is None or not number or not process.kill(number):
            containers.client.api.kill(found["Id"], name_of_signal)
        elif number == signal.SIGKILL and not found["State"]["Paused"]:
            # The first process of a container ends after all others of it (pid_namespaces(7)).
            wait_until(process.has_ended, timeout=KILL_SECONDS, what=f"the end of {name}")


def process_of(found: Mapping[str, Any]) -> ProcessId | None:
    """The main process of a container, if the Docker Engine runs on this very machine.

    Elsewhere its number is that of another process here; the control group tells them apart.
    """
    pid = found["State"]["Pid"]
    process = ProcessId.of(pid) if pid else None
    try:
        groups = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8")
    except OSError:
        return None
    return process if found["Id"] in groups else None
