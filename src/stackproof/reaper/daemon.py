"""The reaper: a small process that outlives its owner just long enough to leave nothing behind.

It runs in a session of its own, starts the supervisor (as PID 1 of a PID namespace where that is
allowed), and waits. When the owner dies while it holds the lease, when the supervisor ends for
whatever reason, or when it is told to, it ends every process and removes every file of the run.
Standard library only, and little of it: one of these runs for each stack.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time

from stackproof.reaper import namespace, ownership, port_claims, record, sweep
from stackproof.reaper.overlays import Overlays
from stackproof.reaper.removal import (
    draft_fault,
    remove_docker,
    remove_files,
    remove_unfinished,
)
from stackproof.reaper.sweep import ProcessId

ORDERLY_SECONDS = 15.0
"""What the supervisor gets to stop its services when the reaper is asked to end."""

KILL_SECONDS = 10.0

DOCKER_TRIES = 3

LOOK_SECONDS = 0.5
"""How often it is looked whether a supervisor that is to end is stopped."""


class Reaper:
    """One run's reaper.

    Args:
        order: What the owner sent: `run_id`, `folder`, `root`, `project`, `owner` (process id and
            start time, or null), `argv` and `env` of the supervisor, `private` (whether to try for
            a namespace), `overlays` (copies of folders, as `Overlays` takes them), `docker` (where
            the Docker Engine listens that may have things of the run; empty where none has).
        owner_side: The connection to the owner.
    """

    def __init__(self, order: dict[str, object], owner_side: socket.socket) -> None:
        self.order = order
        self.folder = str(order["folder"])
        self.link = owner_side
        self.held = order["owner"] is not None
        self.owner = _watch(order["owner"])
        self.claims: list[socket.socket] = []
        self.intended: list[str] = []
        self.received = b""
        self.supervisor = 0
        self.kind = ""
        self.refused: dict[str, str] = {}
        self.wakeup = _signals_as_bytes()

    def run(self) -> None:
        """Do everything, from making the run folder to removing it."""
        if self.held and self.owner is None:
            return  # the owner died before anything was made
        self._make_folder()
        try:
            self._start_supervisor()
            self._write_record()
            self._tell({"supervisor": list(self._supervisor_id()), "kind": self.kind,
                        "refused": self.refused})  # fmt: skip
            self._watch_until_over()
        finally:
            if self._end_processes():
                self._remove_files()

    def _make_folder(self) -> None:
        """Make the run folder complete with its record, or not at all."""
        runs, name = os.path.split(self.folder)
        draft = f".new-{self.order['run_id']}"
        for attempt in range(20):
            try:
                with ownership.opened(runs, make=True) as handle:
                    ownership.make_folder(draft, handle)
                    self._write_record(os.path.join(runs, draft))
                    os.rename(draft, name, src_dir_fd=handle, dst_dir_fd=handle)
                    return
            except FileNotFoundError:  # another run's reaper has just removed an empty parent
                time.sleep(0.01 * attempt)
            except OSError:
                remove_unfinished(runs, draft)
                raise
        raise FileNotFoundError(2, "it is removed as often as it is made", runs)

    def _write_record(self, folder: str | None = None) -> None:
        owner = self.order["owner"]
        text = record.text_of(
            run_id=str(self.order["run_id"]),
            project=str(self.order["project"]),
            boot_id=boot_id(),
            pid_namespace=pid_namespace(),
            created=time.time(),
            reaper=ProcessId.current(),
            supervisor=self._supervisor_id() if self.supervisor else None,
            owner=owner if self.held and isinstance(owner, list) else None,
            namespace=self.kind,
            intended=self.intended,
            docker_host=str(self.order["docker"]),
        )
        ownership.write_file(folder or self.folder, record.NAME, text)

    def _supervisor_id(self) -> ProcessId:
        return ProcessId.of(self.supervisor) or ProcessId(self.supervisor, 0)

    def _start_supervisor(self) -> None:
        namespace.become_subreaper()
        reading, writing = os.pipe()  # the supervisor sees its end when the reaper dies
        os.set_inheritable(reading, True)  # noqa: FBT003 - the standard library's signature
        given = self.order["env"]
        environment = dict(given) if isinstance(given, dict) else {}
        environment["STACKPROOF_REAPER_FD"] = str(reading)
        environment["STACKPROOF_RUN"] = str(self.order["run_id"])
        listed = self.order["argv"]
        argv = [str(part) for part in listed] if isinstance(listed, list) else []

        def become_supervisor() -> None:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            os.setsid()
            os.close(writing)
            self._log_to_file()
            copies.mount()
            os.execve(argv[0], argv, environment)  # noqa: S606 - this is how the supervisor begins

        private = bool(self.order["private"])
        copies = Overlays(self.order.get("overlays"), private=private)
        self.supervisor, self.kind = namespace.spawn(become_supervisor, private=private)
        os.close(reading)
        copies.wait()
        self.refused = copies.refused
        self._death_pipe = writing

    def _log_to_file(self) -> None:
        path = os.path.join(self.folder, "supervisor.log")
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)

    def _tell(self, answer: dict[str, object]) -> None:
        with contextlib.suppress(OSError):
            self.link.sendall(json.dumps(answer).encode() + b"\n")

    def _watch_until_over(self) -> None:
        supervisor = os.pidfd_open(self.supervisor)
        link = self.link.fileno()
        watched = [supervisor, self.wakeup, link]
        if self.owner is not None:
            watched.append(self.owner)
        while True:
            ready, _, _ = select.select(watched, [], [])
            if supervisor in ready or (self.held and self.owner in ready):
                return
            if self.owner is not None and self.owner in ready:
                watched.remove(self.owner)
            if self.wakeup in ready and self._was_told_to_end():
                self._end_orderly(supervisor)
                return
            if link in ready and not self._take_messages():
                watched.remove(link)

    def _was_told_to_end(self) -> bool:
        numbers = os.read(self.wakeup, 64)
        return any(number in {signal.SIGTERM, signal.SIGINT} for number in numbers)

    def _end_orderly(self, supervisor: int) -> None:
        """Ask again and again: PID 1 of a namespace loses a signal that it has no handler for."""
        end = time.monotonic() + ORDERLY_SECONDS
        while not self._supervisor_id().is_stopped():  # such a one would not do it
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(supervisor, signal.SIGTERM)
            left = end - time.monotonic()
            if left <= 0 or select.select([supervisor], [], [], min(left, LOOK_SECONDS))[0]:
                return

    def _take_messages(self) -> bool:
        """Answer the owner; False when it has closed its side, which by itself means nothing."""
        try:
            data = self.link.recv(65536)
        except OSError:
            data = b""
        if not data:
            return False
        self.received += data
        while b"\n" in self.received:
            line, self.received = self.received.split(b"\n", 1)
            try:
                self._obey(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                self._tell({"error": f"a message can't be understood: {error!r}"})
        return True

    def _obey(self, message: dict[str, object]) -> None:
        if message.get("op") == "release":
            self.held = False
        elif message.get("op") == "intend":
            path = str(message["path"])
            fault = draft_fault(path)
            if fault:
                self._tell({"error": f"{path} could not be removed again: {fault}"})
                return
            self.intended.append(path)
        elif message.get("op") == "claim":
            self._tell(self._claim(int(str(message["count"]))))
            return
        self._write_record()
        self._tell({"done": True})

    def _claim(self, count: int) -> dict[str, object]:
        """Ports of the run; where there are not as many, it is the owner who ends the run."""
        try:
            return {"ports": port_claims.claim(count, self.claims)}
        except OSError as error:
            return {"error": str(error)}

    def _end_processes(self) -> bool:
        """SIGKILL to PID 1 of a namespace ends all in it; what has no namespace is swept.

        Tells whether the Docker Engine, if there is one, has nothing left; the files stay if it
        has, for the next command to go on from.
        """
        process = ProcessId.of(self.supervisor) if self.supervisor else None
        if process is not None and self.kind == namespace.PRIVATE:
            process.kill()
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.supervisor, 0)
        in_order = process is None and self._ended_well()
        sweep.kill_descendants(os.getpid(), seconds=KILL_SECONDS)
        host, run_id = str(self.order["docker"]), str(self.order["run_id"])
        if not host or in_order:
            return True
        sweep.kill_all(sweep.marked(f"STACKPROOF_RUN={run_id}"))
        given = self.order["env"]
        environment = dict(given) if isinstance(given, dict) else {}
        project, root = str(self.order["project"]), os.path.dirname(os.path.dirname(self.folder))
        for attempt in range(DOCKER_TRIES):  # a busy Docker Engine may fail to answer
            time.sleep(attempt)
            if not remove_docker(host, project, run_id, root, environment):
                return True
        return False

    def _ended_well(self) -> bool:
        """Whether the supervisor has ended by itself, everything taken down."""
        with contextlib.suppress(ChildProcessError):
            return os.waitpid(self.supervisor, os.WNOHANG) == (self.supervisor, 0)
        return False

    def _remove_files(self) -> None:
        remove_files(self.folder, str(self.order["run_id"]), self.intended)


def boot_id() -> str:
    """Identity of this boot of the machine, since process ids mean nothing after the next one."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def pid_namespace() -> str:
    """Where process numbers mean what they do here: in another container they mean others."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _watch(owner: object) -> int | None:
    """A handle that becomes readable when the owner ends; None if it has ended already."""
    if not isinstance(owner, list):
        return None
    process = ProcessId(*owner)
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return None
    if process.is_alive():
        return handle
    os.close(handle)
    return None


def _signals_as_bytes() -> int:
    """Turn signals into bytes of a pipe; a closed terminal (SIGHUP) must not matter at all."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return reading


def main() -> None:
    """Take the order from the inherited socket, and carry it out."""
    os.umask(0o077)
    link = socket.socket(fileno=int(sys.argv[1]))
    received = b""
    while not received.endswith(b"\n"):
        data = link.recv(65536)
        if not data:
            return  # the owner died before it had said what to do
        received += data
    try:
        Reaper(json.loads(received), link).run()
    except OSError as error:
        with contextlib.suppress(OSError):
            answer = {"error": str(error), "errno": error.errno}
            link.sendall(json.dumps(answer).encode() + b"\n")
