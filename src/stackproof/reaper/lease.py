"""The lease: a connection to a run's reaper, which ends the run when this process dies."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stackproof.errors import StackproofError, StartFailed
from stackproof.reaper.handles import how_it_ended
from stackproof.reaper.leftovers import read_run
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.sweep import ProcessId
from stackproof.reaper.waking import LOOK_SECONDS
from stackproof.waiting import reminding

CAUSE_LINES = 5
"""So many last lines of what a reaper has written are shown when it has ended."""

_OF_A_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO}
"""Errors of a reaper that are about the disk of the runs, though they name no file."""

_DOCTOR = "run `invoke doctor`, which checks the folder of runs and namespaces"


@dataclass(frozen=True)
class Launched:
    """A run that was started, for the proof that nothing is left of it.

    Attributes:
        run: Its folder.
        run_id: Its identity.
        reaper: Its reaper.
        in_docker: Whether it may have things in a Docker Engine.
    """

    run: RunFolder
    run_id: str
    reaper: ProcessId | None
    in_docker: bool


_LAUNCHED: dict[str, Launched] = {}


def launched() -> tuple[Launched, ...]:
    """The runs that this process has started, except those that it has released."""
    return tuple(_LAUNCHED.values())


def note_launch(started: Launched) -> None:
    """Keep a run among those that this process has started."""
    _LAUNCHED[started.run_id] = started


class Lease:
    """Ties a run to the process that holds this object: when it dies, the run is taken down.

    Args:
        run: The run.
        run_id: Identity of the run; each of its processes carries it as `STACKPROOF_RUN`.
        reaper: The reaper, a child of this process.
        link: Connection to the reaper.
        output: File that the reaper writes its errors to; None where they are lost.
        say: Takes a line where the reaper is slow to answer.

    Attributes:
        namespace: `pid` where the run has a PID namespace, else why not.
        refused: What could not be copied for the run, and why.
    """

    def __init__(
        self,
        run: RunFolder,
        run_id: str,
        reaper: ProcessId,
        link: socket.socket,
        *,
        output: int | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.run = run
        self.run_id = run_id
        self.reaper = reaper
        self.namespace = ""
        self.refused: dict[str, str] = {}
        self._link = link
        self._output = output
        self._say = say
        self._received = b""
        self._is_told = False

    def close(self) -> None:
        """Close the connection to the reaper, which by itself means nothing to it."""
        self._link.close()
        if self._output is not None:
            os.close(self._output)
            self._output = None

    __del__ = close

    def release(self) -> None:
        """Let the run outlive this process; from now on it stays until it is taken down."""
        self._ask({"op": "release"})
        _LAUNCHED.pop(self.run_id, None)
        self.close()

    def intend(self, path: Path) -> None:
        """Name a path outside the run folder that must not outlive the run; call before making it.

        Args:
            path: An absolute path.
        """
        self._ask(
            {"op": "intend", "path": str(path)},
            remedy="set STACKPROOF_CACHE_DIR to a folder that only you can write to",
        )

    def claim_ports(self, count: int) -> list[int]:
        """Free ports of 127.0.0.1 that belong to this run until it ends.

        Args:
            count: How many.
        """
        answer = self._ask(
            {"op": "claim", "count": count},
            remedy="take down stacks that nobody needs: `invoke clean` lists those that run",
        )
        ports = answer.get("ports")
        return [int(port) for port in ports] if isinstance(ports, list) else []

    def answer(self, *, remedy: str = _DOCTOR) -> dict[str, object]:
        """The reaper's next answer, waited for as long as the reaper lives.

        Args:
            remedy: What to do where it says that it could not do what it was asked for.

        Raises:
            StorageFailed: If it says that a disk is full, or a folder may not be used.
            StartFailed: If it has ended, or says what else went wrong.
        """
        line = self._receive_line()
        answer: dict[str, object] = json.loads(line or b"{}")
        if not answer or "over" in answer:
            raise self._over(answer)
        if "error" in answer:
            raise _storage_failed(answer, self.run.root) or StartFailed(
                f"the reaper of {self.run.project} could not do what it was asked for",
                observed=str(answer["error"]),
                remedy=remedy,
            )
        return answer

    def lost(self) -> StackproofError | None:
        """How the supervisor or the reaper has ended; None where both live, or it was raised.

        What fails in a start after one has ended fails because of that.
        """
        if self._is_told:
            return None
        state = read_run(self.run.path)
        supervisor = None if state is None else state.supervisor
        if supervisor is not None and supervisor.is_alive() and self.reaper.is_alive():
            return None
        try:
            return self._over(json.loads(self._receive_line() or b"{}"))
        except ValueError:
            return None

    def _over(self, answer: Mapping[str, object]) -> StackproofError:
        self._is_told = True
        if "over" not in answer:
            return self._ended()
        return StartFailed(
            f"the supervisor of {self.run.project} {answer['over']}",
            observed=str(answer.get("log") or "it wrote nothing"),
            remedy=_remedy(str(answer["over"])),
        )

    def _receive_line(self) -> bytes:
        """The next line; empty where the reaper has ended. A stopped reaper is let go on."""
        about = f"{self.run.project} (process {self.reaper.pid}), which runs and does not answer"
        self._link.settimeout(LOOK_SECONDS)
        with reminding(self._say, f"waiting for the reaper of {about}"):
            while b"\n" not in self._received:
                data = self._receive()
                if data == b"":
                    return b""
                self._received += data or b""
        line, _, self._received = self._received.partition(b"\n")
        return line

    def _receive(self) -> bytes | None:
        """What comes within a moment; None for nothing, empty where the reaper has ended."""
        try:
            return self._link.recv(65536)
        except TimeoutError:
            if self.reaper.is_stopped():
                self.reaper.kill(signal.SIGCONT)
            return b"" if self.reaper.has_ended() else None
        except OSError:
            return b""

    def _ended(self) -> StackproofError:
        """The error for a reaper that has closed its side, which it does when it ends."""
        how = how_it_ended(self.reaper.pid)
        said = self._last_output()
        return StartFailed(
            f"the reaper of {self.run.project} (process {self.reaper.pid}) {how}",
            observed=said or "it wrote nothing",
            remedy=_remedy(how),
        )

    def _last_output(self) -> str:
        if self._output is None:
            return ""
        size = os.fstat(self._output).st_size
        text = os.pread(self._output, size, 0).decode(errors="replace")
        return "\n".join(text.splitlines()[-CAUSE_LINES:])

    def _ask(self, message: Mapping[str, object], *, remedy: str = _DOCTOR) -> dict[str, object]:
        with contextlib.suppress(OSError):
            self._link.sendall(json.dumps(message).encode() + b"\n")
        return self.answer(remedy=remedy)


def _remedy(how: str) -> str:
    """What to do about a process that has ended in a way that nobody has asked for."""
    if "SIG" in how:
        return "look for who ended it in the system's log (`dmesg`): often it is a limit of memory"
    return _DOCTOR


def _storage_failed(answer: Mapping[str, object], root: Path) -> StackproofError | None:
    """The sentence about a disk or folder, where a reaper's answer is about one.

    Args:
        answer: What the reaper has answered, with an `errno` where the system has refused.
        root: The folder of all runs.
    """
    number, path = answer.get("errno"), str(answer.get("path") or "")
    if not isinstance(number, int) or not (path or number in _OF_A_DISK):
        return None
    from stackproof.settings.storage import storage_failure

    return storage_failure(OSError(number, os.strerror(number), path or str(root)))
