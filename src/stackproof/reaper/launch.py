"""Starting a run: the reaper first, which makes everything else; and ending it for certain."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stackproof.errors import Refused, StartFailed, TeardownIncomplete
from stackproof.reaper.leftovers import RunState, read_run, refuse_foreign_root, remove_leftover
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.sweep import ProcessId
from stackproof.reaper.waking import LOOK_SECONDS, MARK, wait_for_end
from stackproof.settings.storage import storage_failure

ANSWER_SECONDS = 30.0
ESCALATION_SECONDS = 5.0

OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO}
"""Errors of a reaper that tell about the disk, whichever file it was."""

_BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from stackproof.reaper.daemon import main; main()"
)


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


class Lease:
    """Ties a run to the process that holds this object: when it dies, the run is taken down.

    Args:
        run: The run.
        run_id: Identity of the run; each of its processes carries it as `STACKPROOF_RUN`.
        reaper: The reaper.
        link: Connection to the reaper.
    """

    def __init__(self, run: RunFolder, run_id: str, reaper: ProcessId, link: socket.socket) -> None:
        self.run = run
        self.run_id = run_id
        self.reaper = reaper
        self.namespace = ""
        self.refused: dict[str, str] = {}
        self._link = link
        self._received = b""

    def close(self) -> None:
        """Close the connection to the reaper, which by itself means nothing to it."""
        self._link.close()

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
        self._ask({"op": "intend", "path": str(path)})

    def claim_ports(self, count: int) -> list[int]:
        """Free ports of 127.0.0.1 that belong to this run until it ends.

        Args:
            count: How many.
        """
        answer = self._ask({"op": "claim", "count": count})
        ports = answer.get("ports")
        return [int(port) for port in ports] if isinstance(ports, list) else []

    def answer(self) -> dict[str, object]:
        """The reaper's next answer.

        Raises:
            StartFailed: If it has ended, or says what went wrong.
        """
        self._receive_line()
        line, _, self._received = self._received.partition(b"\n")
        answer: dict[str, object] = json.loads(line) if line else {"error": "it gave no answer"}
        if "error" in answer:
            _refuse_full_disk(answer, self.run.root)
            raise StartFailed(
                f"the reaper of {self.run.project} could not do its work",
                observed=f"{answer['error']}\nits runs are in {self.run.root}",
                remedy="run `invoke doctor`; it checks that folder and namespaces; for another "
                "folder, or where the disk is full, set STACKPROOF_STATE_DIR",
            )
        return answer

    def _receive_line(self) -> None:
        """Wait for the end of a line, and let a stopped reaper go on meanwhile."""
        end = time.monotonic() + ANSWER_SECONDS
        self._link.settimeout(LOOK_SECONDS)
        with contextlib.suppress(OSError):
            while b"\n" not in self._received and time.monotonic() < end:
                try:
                    data = self._link.recv(65536)
                except TimeoutError:
                    if self.reaper.is_stopped():
                        self.reaper.kill(signal.SIGCONT)
                    continue
                if not data:
                    return
                self._received += data

    def _ask(self, message: Mapping[str, object]) -> dict[str, object]:
        with contextlib.suppress(OSError):
            self._link.sendall(json.dumps(message).encode() + b"\n")
        return self.answer()


def _refuse_full_disk(answer: Mapping[str, object], root: Path) -> None:
    """Tell what is the matter with the disk of the runs, where a reaper's answer says it is that.

    Args:
        answer: What the reaper has answered, with an `errno` where the system has refused.
        root: The folder of all runs.

    Raises:
        StorageFailed: If that disk is full, read-only or broken.
    """
    number = answer.get("errno")
    if isinstance(number, int) and number in OF_THE_DISK:
        failure = storage_failure(OSError(number, os.strerror(number), str(root)))
        if failure is not None:
            raise failure


def launch(
    run: RunFolder,
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    owner: ProcessId | None = None,
    private: bool = True,
    docker_host: str = "",
    overlays: Mapping[str, object] | None = None,
) -> Lease:
    """Start a run's reaper, which makes the run folder and starts the supervisor.

    Args:
        run: The run; its folder must not exist.
        argv: The supervisor's program, an absolute path, and its arguments.
        environment: The supervisor's whole environment.
        owner: Whose death ends the run; None for the calling process.
        private: Whether to try for a PID namespace.
        docker_host: Where the Docker Engine listens that may have things of the run; empty where
            none has.
        overlays: Copies of folders at their own paths, as `reaper.overlays` takes them.

    Returns:
        The lease, held by the calling process; its `refused` names what could not be copied.

    Raises:
        Refused: If the state root is not safe to use.
        StartFailed: If the reaper or the supervisor could not be started; nothing is left then.
    """
    refuse_foreign_root(run.root)
    run_id = uuid.uuid4().hex[:16]
    ours, theirs = socket.socketpair()
    source = str(Path(__file__).parents[2])
    boot = [sys.executable, "-I", "-S", "-c", _BOOT, source, str(theirs.fileno())]
    try:
        reaper = subprocess.Popen(
            boot,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.defpath, MARK: str(run.path)},
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    process = ProcessId.of(reaper.pid) or ProcessId(reaper.pid, 0)
    reaper.returncode = 0  # it is not waited for: it outlives this process on purpose
    lease = Lease(run, run_id, process, ours)
    _LAUNCHED[run_id] = Launched(run, run_id, process, bool(docker_host))
    holder = owner or ProcessId.current()
    order = {
        "run_id": run_id,
        "project": run.project,
        "folder": str(run.path),
        "owner": list(holder),
        "argv": list(argv),
        "env": dict(environment),
        "private": private,
        "docker": docker_host,
        "overlays": dict(overlays or {}),
    }
    try:
        ours.sendall(json.dumps(order).encode() + b"\n")
        answer = lease.answer()
        lease.namespace = str(answer["kind"])
        refused = answer.get("refused")
        lease.refused = dict(refused) if isinstance(refused, dict) else {}
    except BaseException:
        process.kill(15)
        raise
    return lease


def wait_gone(run: RunFolder, *, seconds: float) -> bool:
    """Wait until a run's reaper has ended and its folder is removed.

    Args:
        run: The run.
        seconds: How long to wait at the most.

    Returns:
        Whether both are gone.
    """
    for reaper in _reapers(run):
        wait_for_end(reaper, seconds)
    end = time.monotonic() + 0.5
    while run.path.exists() and time.monotonic() < end:
        time.sleep(0.005)
    return not run.path.exists()


def _reapers(run: RunFolder) -> list[ProcessId]:
    """The reaper that the record names, and those of this process, which outlive the record."""
    state = read_run(run.path)
    recorded = None if state is None else state.reaper
    own = [one.reaper for one in launched() if one.run.path == run.path]
    return [one for one in dict.fromkeys((recorded, *own)) if one is not None]


def take_down(run: RunFolder, *, seconds: float) -> None:
    """End a run for certain: ask its reaper, then force it, then do its work.

    Args:
        run: The run; nothing happens if it is gone.
        seconds: What the services get to end in an orderly way.

    Raises:
        TeardownIncomplete: If something is left after all.
        Refused: If its processes are those of another container.
    """
    state = read_run(run.path)
    if state is None:
        wait_gone(run, seconds=seconds)
        return
    if state.is_elsewhere:
        raise Refused(
            f"{run.project} runs in another container of this machine",
            observed=f"the record in {run.path} names processes that can't be seen from here",
            remedy="take it down there, or remove the folder once that container is gone",
        )
    if state.supervisor is not None and state.supervisor.is_stopped():
        state.supervisor.kill(9)  # it can't stop anything in order
    if state.reaper is not None and state.reaper.kill(15) and wait_gone(run, seconds=seconds):
        return
    for process in (state.supervisor, state.reaper):
        if process is not None:
            process.kill(9)
    _wait_until_dead(state)
    said = remove_leftover(state) if run.path.exists() else ""
    if run.path.exists():
        raise TeardownIncomplete([said, f"the folder {run.path}"])


def _wait_until_dead(state: RunState) -> None:
    for process in (state.supervisor, state.reaper):
        if process is not None:
            wait_for_end(process, ESCALATION_SECONDS)
