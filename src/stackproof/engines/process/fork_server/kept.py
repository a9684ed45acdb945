"""A fork server of this process, which ends with it."""

from __future__ import annotations

import secrets
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from select import select
from typing import Any

from stackproof.engines.process.fork_server.order import receive, send

ROOM = 16_384
"""Bytes for the arguments of a forked program, and as many for its environment."""

SECONDS = 20.0
"""How long a server that imports nothing may take to begin."""

PATIENCE = 5.0
"""How long one that is ready may take to say what it has noted."""

_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from stackproof.engines.process.fork_server.server import main; main()"
)


class Kept:
    """A fork server of this process.

    Args:
        python: Interpreter of the virtualenv.
        environment: The part of the service's environment that all copies share.
        modules: What it imports ahead. It notes what its first copy imports beside that.

    Attributes:
        address: Name of the abstract socket that supervisors connect to, a colon, and the token
            that they show: names of such sockets can be read by others.
        faults: Why its copies would not be the same as new processes, once it is ready.
        failures: Why copies ended where new processes became ready, as supervisors have told it.
        was_ready: Whether it has been able to fork.
        process: The process.

    Raises:
        OSError: If it can't be started.
    """

    def __init__(
        self, python: Path, environment: Mapping[str, str], modules: Sequence[str] = ()
    ) -> None:
        name, token = f"stackproof-{secrets.token_hex(8)}", secrets.token_hex(16)
        self.address = f"{name}:{token}"
        self.faults: tuple[str, ...] = ()
        self.failures: list[str] = []
        self.was_ready = False
        self._hearing = threading.Lock()
        self._link, theirs = socket.socketpair()
        listener = socket.socket(socket.AF_UNIX)
        try:
            listener.bind(f"\0{name}")
            listener.listen(64)
            numbers = (theirs.fileno(), listener.fileno())
            source = str(Path(__file__).parents[4])
            self.process = subprocess.Popen(
                [str(python), "-c", _BOOT, source, *map(str, numbers), " " * ROOM],
                env={**environment, PADDING: " " * ROOM},
                pass_fds=numbers,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            send(self._link, {"modules": list(modules), "token": token})
        except BaseException:
            self._link.close()
            raise
        finally:
            theirs.close()
            listener.close()

    def is_ready(self, seconds: float = 0.0) -> bool:
        """Whether it can fork by now.

        Args:
            seconds: How long to wait for it.
        """
        if self._hearing.acquire(blocking=False):  # else another thread hears what it says
            try:
                while select([self._link], [], [], 0.0 if self.was_ready else seconds)[0]:
                    self._hear()
            except (OSError, ValueError):  # it has ended, or another thread has closed it
                pass
            finally:
                self._hearing.release()
        return self.was_ready and self.process.poll() is None

    @property
    def has_ended(self) -> bool:
        """Whether it has ended by itself, as after a while without a start."""
        return self.process.poll() is not None

    def _hear(self) -> list[str] | None:
        """Take what it says: that it is ready, that a copy has failed, or the modules, if asked."""
        said: dict[str, Any] = receive(self._link)[0]
        if "ready" in said:
            self.was_ready, self.faults = True, tuple(said["faults"])
        if "failed" in said:
            self.failures.append(str(said["failed"]))
        names = said.get("modules")
        return None if names is None else [str(name) for name in names]

    def modules(self) -> list[str]:
        """What its first copy has imported so far; none where it has ended or does not answer."""
        with self._hearing, suppress(OSError):
            self._link.settimeout(PATIENCE)
            send(self._link, {})
            while (names := self._hear()) is None:
                pass
            return names
        return []

    def close(self) -> None:
        """End it; copies that it has forked live on."""
        self._link.close()
        self.process.kill()
        self.process.wait()


PADDING = "STACKPROOF_PADDING"
