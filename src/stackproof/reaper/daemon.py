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

from stackproof.reaper import handles, kernel, namespace, ownership, port_claims, record, sweep
from stackproof.reaper.machine import boot_id, pid_namespace
from stackproof.reaper.order import Order
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

LAST_LETTERS = 2000
"""So much of a supervisor's log is told when it has ended."""

LOOK_SECONDS = 0.5
"""How often the state of a supervisor that is to end is looked at: a stopped one can't end."""


class Reaper:
    """One run's reaper.

    Args:
        order: What the owner sent.
        owner_side: The connection to the owner.
    """

    def __init__(self, order: Order, owner_side: socket.socket) -> None:
        self.order = order
        self.link = owner_side
        self.held = True
        self.owner = handles.watch(order.owner)
        self.claims: list[socket.socket] = []
        self.intended: list[str] = []
        self.received = b""
        self.supervisor = 0
        self.kind = ""
        self.refused: dict[str, str] = {}
        self.wakeup = handles.signals_as_bytes()

    def run(self) -> None:
        """Do everything, from making the run folder to removing it."""
        if self.owner is None:
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
                remove_files(self.order.folder, self.order.run_id, self.intended)

    def _make_folder(self) -> None:
        """Make the run folder complete with its record, or not at all."""
        runs, name = os.path.split(self.order.folder)
        draft = f".new-{self.order.run_id}"
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
        raise FileNotFoundError(2, "it was removed each time it was made", runs)

    def _write_record(self, folder: str | None = None) -> None:
        text = record.text_of(
            run_id=self.order.run_id,
            project=self.order.project,
            boot_id=boot_id(),
            pid_namespace=pid_namespace(),
            created=time.time(),
            reaper=ProcessId.current(),
            supervisor=self._supervisor_id() if self.supervisor else None,
            owner=self.order.owner if self.held else None,
            namespace=self.kind,
            intended=self.intended,
            docker_host=self.order.docker_host,
        )
        ownership.write_file(folder or self.order.folder, record.NAME, text)

    def _supervisor_id(self) -> ProcessId:
        return ProcessId.of(self.supervisor) or ProcessId(self.supervisor, 0)

    def _start_supervisor(self) -> None:
        kernel.become_subreaper()
        reading, writing = os.pipe()  # the supervisor sees its end when the reaper dies
        os.set_inheritable(reading, True)  # noqa: FBT003 - the standard library's signature
        environment = {
            **self.order.env,
            "STACKPROOF_REAPER_FD": str(reading),
            "STACKPROOF_RUN": self.order.run_id,
        }
        argv = self.order.argv

        def become_supervisor() -> None:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            os.setsid()
            os.close(writing)
            self._log_to_file()
            copies.mount()
            os.execve(argv[0], argv, environment)  # noqa: S606 - this is how the supervisor begins

        private = self.order.private
        copies = Overlays(self.order.overlays, private=private)
        self.supervisor, self.kind = namespace.spawn(
            become_supervisor, private=private, world=self.order.world
        )
        os.close(reading)
        copies.wait()
        self.refused = copies.refused
        self._death_pipe = writing

    def _log_path(self) -> str:
        return os.path.join(self.order.folder, "supervisor.log")

    def _log_to_file(self) -> None:
        log = os.open(self._log_path(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)

    def _tell(self, answer: dict[str, object]) -> None:
        with contextlib.suppress(OSError):
            self.link.sendall(json.dumps(answer).encode() + b"\n")

    def _watch_until_over(self) -> None:
        supervisor = os.pidfd_open(self.supervisor)
        link = self.link.fileno()
        watched = [supervisor, self.wakeup, link]
        watched += [] if self.owner is None else [self.owner]
        while True:
            ready, _, _ = select.select(watched, [], [])
            if supervisor in ready:
                self._tell_of_end()
                return
            if self.held and self.owner in ready:
                return
            if self.owner is not None and self.owner in ready:
                watched.remove(self.owner)
            if self.wakeup in ready and self._was_told_to_end():
                self._end_orderly(supervisor)
                return
            if link in ready and not self._take_messages():
                watched.remove(link)

    def _tell_of_end(self) -> None:
        """Tell the owner how the supervisor has ended, since its log goes with the run."""
        text = ""
        with contextlib.suppress(OSError), open(self._log_path(), "rb") as log:
            text = log.read().decode(errors="replace").strip()[-LAST_LETTERS:]
        self._tell({"over": handles.how_it_ended(self.supervisor), "log": text})

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
                self._tell({"error": f"a message is not understood: {error!r}"})
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
        return in_order or not self.order.docker_host or self._empty_docker()

    def _empty_docker(self) -> bool:
        """Remove all that the Docker Engine has of the run; tells whether nothing is left."""
        order = self.order
        sweep.kill_marked(f"STACKPROOF_RUN={order.run_id}")
        root, environment = os.path.dirname(os.path.dirname(order.folder)), order.env
        for attempt in range(DOCKER_TRIES):  # a busy Docker Engine may fail to answer
            time.sleep(attempt)
            if not remove_docker(order.docker_host, order.project, order.run_id, root, environment):
                return True
        return False

    def _ended_well(self) -> bool:
        """Whether the supervisor has ended by itself, everything taken down."""
        with contextlib.suppress(ChildProcessError):
            return os.waitpid(self.supervisor, os.WNOHANG) == (self.supervisor, 0)
        return False


def main() -> None:
    """Take the order from the inherited socket, and carry it out."""
    os.umask(0o077)
    link = socket.socket(fileno=int(sys.argv[1]))
    link.set_inheritable(False)  # its end is to tell of the reaper's, not of the supervisor's
    received = b""
    while not received.endswith(b"\n"):
        data = link.recv(65536)
        if not data:
            return  # the owner died before it had said what to do
        received += data
    try:
        Reaper(Order.of_line(received), link).run()
    except OSError as error:
        with contextlib.suppress(OSError):
            answer = {"error": str(error), "errno": error.errno, "path": str(error.filename or "")}
            link.sendall(json.dumps(answer).encode() + b"\n")
