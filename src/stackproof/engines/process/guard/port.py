"""The supervisor's side of a guarded port: starts the guard beside a server, and watches it."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import stackproof
from stackproof.engines.process.capture import LogFile, Pipe
from stackproof.engines.process.guard.sockets import bound

if TYPE_CHECKING:
    import asyncio

    from stackproof.engines.process.children import Child, Children
    from stackproof.engines.process.spec import ServiceSpec

HOST = "127.0.0.1"
PACKAGES = str(Path(stackproof.__file__).parents[1])


class GuardedPort:
    """The guard of one service; it carries the service's mark, so that it ends with it.

    A service whose server listens on its ports itself has none.

    Args:
        spec: The service.
        loop: The running event loop.
        children: Starts processes.
        log: The service's log.
    """

    def __init__(
        self,
        spec: ServiceSpec,
        loop: asyncio.AbstractEventLoop,
        children: Children,
        log: LogFile,
    ) -> None:
        self._spec = spec
        self._loop = loop
        self._children = children
        self._log = log
        self._guard: Child | None = None

    def start(self) -> None:
        """Take the port, and start the guard, which listens as soon as the server does.

        Raises:
            OSError: If the port is taken, or the guard can't be started.
        """
        if not self._spec.socket:
            return
        place = Path(self._spec.socket)
        uid = [] if self._spec.uid is None else [str(self._spec.uid)]
        err = Pipe(self._loop, self._log, "err")
        try:
            with bound((HOST, self._spec.ports[0])) as port:
                self._guard = self._children.spawn(
                    [sys.executable, "-S", "-P", "-m", __package__, place.name, *uid],
                    env=self._environment(),
                    cwd=str(place.parent),
                    streams=(port.fileno(), err.writing, err.writing),
                )
        finally:
            err.started()

    def watch(self, server: Child) -> None:
        """End the server if its guard ends: nobody reaches it any more, and that must be seen."""
        if self._guard is not None:
            self._guard.ended.add_done_callback(partial(self._note_end, server))

    def _note_end(self, server: Child, guard: asyncio.Future[int]) -> None:
        if not server.ended.done():
            line = f"stackproof: the guard of its port has ended with status {guard.result()}"
            self._log.write("err", [line])
            server.send(signal.SIGKILL)

    def _environment(self) -> dict[str, str]:
        mark = self._spec.env.get("STACKPROOF_SERVICE", self._spec.name)
        return {
            "PYTHONPATH": PACKAGES,
            "PYTHONDONTWRITEBYTECODE": "1",
            "STACKPROOF_SERVICE": mark,
            "LANG": os.environ.get("LANG", "C.UTF-8"),
        }
