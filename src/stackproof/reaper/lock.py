"""One command at a time on one copy of a stack: a lock that ends with its holder."""

from __future__ import annotations

import hashlib
import socket
import struct
from types import TracebackType
from typing import Self

from stackproof.errors import StackBusy
from stackproof.reaper.port_claims import bind_name
from stackproof.reaper.sweep import ProcessId
from stackproof.run_folder import RunFolder


class ProjectLock:
    """Held while a command starts, changes or ends a run.

    The lock is a bound name (see `port_claims`): a killed holder can't leave it behind.

    Args:
        run: The run.
    """

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.name = "lock-" + hashlib.sha256(str(run.path).encode()).hexdigest()[:24]
        self._held: socket.socket | None = None

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            StackBusy: If another command has it.
        """
        self._held = bind_name(self.name)
        if self._held is None:
            raise StackBusy(
                f"another command is working on {self.run.project}",
                observed=_holder(self.name),
                remedy="wait until it has ended, or end it",
            )
        self._held.listen(16)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the lock back."""
        if self._held is not None:
            self._held.close()
            self._held = None


def _holder(name: str) -> str:
    """Who has bound a name, asked with SO_PEERCRED (unix(7))."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(1.0)
        try:
            asking.connect(f"\0stackproof-{name}")
            pid = struct.unpack("3i", asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            with open(f"/proc/{pid[0]}/cmdline", "rb") as file:
                command = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            return "it has just ended"
    process = ProcessId.of(pid[0])
    is_stopped = process is not None and process.is_stopped()
    state = f", which is stopped: `kill -CONT {pid[0]}` lets it go on" if is_stopped else ""
    return f"process {pid[0]}: {command}{state}"
