"""The supervisor: runs a stack's services, and ends with all of them.

Started by the reaper, as PID 1 of a PID namespace where that is allowed. It ends when it is told
to, or when the reaper dies; then it removes the run folder itself.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import select
import signal
import sys
from pathlib import Path

from stackproof.engines.process.control_server import ControlServer
from stackproof.engines.process.supervision import Supervisor
from stackproof.reaper.kernel import become_subreaper
from stackproof.reaper.overlays import unmount_below
from stackproof.reaper.removal import remove_abandoned
from stackproof_redaction.streams import MaskedStream


def _watch_reaper(supervisor: Supervisor) -> None:
    """Clean up and end when the reaper dies: its end of the pipe is closed then."""
    text = os.environ.pop("STACKPROOF_REAPER_FD", "")
    if not text:
        return
    handle = int(text)
    os.set_inheritable(handle, False)  # noqa: FBT003 - the standard library's signature

    def reaper_died() -> None:
        supervisor.kill_everything()
        for service in supervisor.services.values():
            service.memory_folders.drop()
        unmount_below(str(supervisor.folder / "data"))
        remove_abandoned(str(supervisor.folder), supervisor.run_id)
        os._exit(1)

    supervisor.loop.add_reader(handle, reaper_died)

    def end_alone() -> None:
        """At its own end: the reaper may have died since the loop has last looked."""
        if select.select([handle], [], [], 0)[0]:
            reaper_died()

    supervisor.at_end = end_alone


async def supervise(folder: Path) -> None:
    """Run until told to end.

    Args:
        folder: The run folder.
    """
    loop = asyncio.get_running_loop()
    supervisor = Supervisor(folder, loop)
    sys.stdout = MaskedStream(sys.stdout, supervisor.mask)  # both lead to supervisor.log
    sys.stderr = MaskedStream(sys.stderr, supervisor.mask)
    _watch_reaper(supervisor)
    server = ControlServer(supervisor, folder / "control.sock")
    ending: list[asyncio.Task[None]] = []

    def end() -> None:
        if not ending:
            ending.append(loop.create_task(supervisor.shut_down()))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    serving = loop.create_task(server.serve())
    await supervisor.over.wait()
    await server.finish()
    serving.cancel()
    supervisor.kill_everything()
    sys.stdout.flush()
    sys.stderr.flush()
    supervisor.at_end()
    os._exit(0)  # at once: a reaper that dies from now on is not seen


def main() -> None:
    """Read the command line and supervise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-folder", type=Path, required=True)
    arguments = parser.parse_args()
    with contextlib.suppress(OSError):
        become_subreaper()
    asyncio.run(supervise(arguments.run_folder))


if __name__ == "__main__":
    main()
