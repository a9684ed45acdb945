"""The process that a run's reaper watches: it takes the run's containers down when it is told to.

It also passes connections on to containers that have no way to publish a port (`hermetic`).
"""

from __future__ import annotations

import argparse
import asyncio
import enum
import functools
import importlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from stackproof.engines.compose import relay
from stackproof.engines.compose.faults import carrying_out
from stackproof.errors import StackproofError
from stackproof.reaper.removal import remove_abandoned

AT_ONCE = signal.SIGUSR1
"""Tells it to take everything down at once, as nobody wants the data."""

TRIES = 20
LONGEST_PAUSE = 5.0

IDLE_SECONDS = 2.0
"""Once a start has its rush behind it, Docker's client is loaded, so that `down` need not wait."""


def _load() -> None:
    importlib.import_module("stackproof.engines.compose.takedown")


@functools.cache
def _containers(run_id: str) -> Any:
    from stackproof.engines.compose.connection import connect
    from stackproof.engines.compose.containers import Containers

    return Containers(connect(os.environ), run_id, "")


def _inspect(run_id: str, service: str) -> Mapping[str, Any] | None:
    """What the Docker Engine knows of the container of a service; None without one."""
    found: Mapping[str, Any] | None = _containers(run_id).inspect_all().get(service)
    return found


class Reason(enum.Enum):
    """Why everything is taken down."""

    TOLD = "told to, in order"
    UNWANTED = "told to, at once"
    ABANDONED = "the reaper is dead"


def _take_down(folder: Path, run_id: str, reason: Reason) -> bool:
    from stackproof.engines.compose.connection import connect
    from stackproof.engines.compose.takedown import (
        KEEP_DATA,
        QUIET_ROUNDS,
        remove_run,
        stop_in_order,
    )

    client = connect(os.environ)
    keep_data = (folder / KEEP_DATA).exists()
    if reason is Reason.TOLD:
        stop_in_order(client, run_id)
    rounds = QUIET_ROUNDS if reason is Reason.ABANDONED else 1
    root = folder.parents[1]
    return not remove_run(
        client, folder.name, run_id, root, keep_data=keep_data, quiet_rounds=rounds
    )


def _take_down_for_certain(folder: Path, run_id: str, reason: Reason) -> bool:
    """Take everything down; where nobody else is left to do so, try for longer.

    A busy Docker Engine may fail to answer, or take long for what it has begun.
    """
    import requests
    from docker.errors import DockerException

    for attempt in range(TRIES if reason is Reason.ABANDONED else 1):
        time.sleep(min(attempt, LONGEST_PAUSE))
        try:
            if _take_down(folder, run_id, reason):
                return True
        except (DockerException, requests.RequestException, StackproofError) as error:
            sys.stderr.write(f"taking down failed: {error}\n")
    return False


async def supervise(folder: Path, run_id: str) -> bool:
    """Run until told to end, or until the reaper dies.

    Args:
        folder: The run folder.
        run_id: Identity of the run.

    Returns:
        Whether everything was taken down.
    """
    loop = asyncio.get_running_loop()
    told: asyncio.Future[Reason] = loop.create_future()

    def end(reason: Reason) -> None:
        if not told.done():
            told.set_result(reason)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, Reason.TOLD)
    loop.add_signal_handler(AT_ONCE, end, Reason.UNWANTED)
    reaper = int(os.environ.get("STACKPROOF_REAPER_FD", "-1"))
    if reaper >= 0:
        os.set_inheritable(reaper, False)  # noqa: FBT003 - the standard library's signature
        loop.add_reader(reaper, end, Reason.ABANDONED)
    relays = relay.Relays(folder / relay.FILE)
    carrying_out.serve(folder, os.environ.get("DOCKER_HOST", ""), partial(_inspect, run_id))
    loop.add_signal_handler(signal.SIGHUP, lambda: loop.create_task(relays.load()))
    (folder / "supervisor.ready").touch()
    loading = loop.call_later(IDLE_SECONDS, lambda: loop.run_in_executor(None, _load))
    reason = await told
    loading.cancel()
    relays.close()
    done = await asyncio.to_thread(_take_down_for_certain, folder, run_id, reason)
    if reason is Reason.ABANDONED and done:  # the reaper can't do it
        remove_abandoned(str(folder), run_id)
    return done


def main() -> int:
    """Read the command line and supervise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-folder", type=Path, required=True)
    parser.add_argument("--run-id", default=os.environ.get("STACKPROOF_RUN", ""))
    arguments = parser.parse_args()
    return 0 if asyncio.run(supervise(arguments.run_folder, arguments.run_id)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
