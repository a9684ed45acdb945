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
import shutil
import signal
import socket
import sys
import time

from stackproof.reaper import namespace, port_claims, sweep
from stackproof.reaper.sweep import ProcessId

ORDERLY_SECONDS = 15.0
"""What the supervisor gets to stop its services when the reaper is asked to end."""

REMOVALS = 60
"""How often a folder is removed that somebody still writes to: for about 6 s."""

KILL_SECONDS = 10.0


class Reaper:
    """One run's reaper.

    Args:
        order: What the owner sent: `run_id`, `folder`, `root`, `project`, `owner` (process id and
            start time, or null), `argv` and `env` of the supervisor, `private` (whether to try for
            a namespace), `farewell` (a command that removes what is neither process nor file;
            empty where there is nothing of that kind).
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
        self.wakeup = _signals_as_bytes()

    def run(self) -> None:
        """Do everything, from making the run folder to removing it."""
        if self.held and self.owner is None:
            return  # the owner died before anything was made
        self._make_folder()
        try:
            self._start_supervisor()
            self._write_record()
            self._tell({"supervisor": list(self._supervisor_id()), "kind": self.kind})
            self._watch_until_over()
        finally:
            if self._end_processes():
                self._remove_files()

    def _make_folder(self) -> None:
        """Make the run folder complete with its record, or not at all."""
        runs = os.path.dirname(self.folder)
        draft = os.path.join(runs, f".new-{self.order['run_id']}")
        for attempt in range(20):
            try:
                os.makedirs(draft, mode=self._mode())
                break
            except FileNotFoundError:  # another run's reaper has just removed an empty parent
                time.sleep(0.01 * attempt)
        os.chmod(draft, self._mode())
        self._write_record(draft)
        os.rename(draft, self.folder)

    def _mode(self) -> int:
        return 0o711 if os.getuid() == 0 else 0o700

    def _write_record(self, folder: str | None = None) -> None:
        where = folder or self.folder
        record = {
            "run_id": self.order["run_id"],
            "project": self.order["project"],
            "boot_id": boot_id(),
            "owner": self.order["owner"] if self.held else None,
            "reaper": list(ProcessId.current()),
            "supervisor": list(self._supervisor_id()) if self.supervisor else None,
            "namespace": self.kind,
            "intended": self.intended,
            "farewell": self.order.get("farewell") or [],
            "created": time.time(),
        }
        draft = os.path.join(where, "record.json.new")
        with open(draft, "w", encoding="utf-8") as file:
            json.dump(record, file)
        os.replace(draft, os.path.join(where, "record.json"))

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
            os.execve(argv[0], argv, environment)  # noqa: S606 - this is how the supervisor begins

        private = bool(self.order["private"])
        self.supervisor, self.kind = namespace.spawn(become_supervisor, private=private)
        os.close(reading)
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
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(supervisor, signal.SIGTERM)
        select.select([supervisor], [], [], ORDERLY_SECONDS)

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
            self._obey(json.loads(line))
        return True

    def _obey(self, message: dict[str, object]) -> None:
        if message.get("op") == "release":
            self.held = False
        elif message.get("op") == "intend":
            self.intended.append(str(message["path"]))
        elif message.get("op") == "claim":
            wanted = int(str(message["count"]))
            ports = port_claims.claim(wanted, self.claims)
            self._tell({"ports": ports})
            return
        self._write_record()
        self._tell({"done": True})

    def _end_processes(self) -> bool:
        """SIGKILL to PID 1 of a namespace ends all in it; what has no namespace is swept.

        Tells whether the farewell, if there is one, left nothing; the files stay if it did, for the
        next command to go on from.
        """
        process = ProcessId.of(self.supervisor) if self.supervisor else None
        if process is not None and self.kind == namespace.PRIVATE:
            process.kill()
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.supervisor, 0)
        in_order = process is None and self._ended_well()
        sweep.kill_descendants(os.getpid(), seconds=KILL_SECONDS)
        farewell = self.order.get("farewell")
        if not isinstance(farewell, list) or not farewell or in_order:
            return True
        sweep.kill_all(sweep.marked(f"STACKPROOF_RUN={self.order['run_id']}"))
        return not say_farewell([str(part) for part in farewell], self.order["env"])

    def _ended_well(self) -> bool:
        """Whether the supervisor has ended by itself, everything taken down."""
        with contextlib.suppress(ChildProcessError):
            return os.waitpid(self.supervisor, os.WNOHANG) == (self.supervisor, 0)
        return False

    def _remove_files(self) -> None:
        remove_cgroups(os.path.join(self.folder, "cgroups"))
        for path in [*self.intended, self.folder]:
            remove_tree(path)
        remove_empty_parents(self.folder)


def say_farewell(argv: list[str], environment: object) -> str:
    """Run the command that removes what is neither process nor file.

    Returns:
        What it says is left; empty where it could remove everything.
    """
    given = dict(environment) if isinstance(environment, dict) else {}
    reading, writing = os.pipe()
    files: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        *((os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 2)),
        (os.POSIX_SPAWN_DUP2, writing, 1),
    ]
    child = os.posix_spawn(argv[0], argv, given, file_actions=files)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8", errors="replace") as answers:
        said = answers.read().strip()
    failed = os.waitpid(child, 0)[1] != 0
    return (said or f"`{' '.join(argv)}` failed") if failed else ""


def boot_id() -> str:
    """Identity of this boot of the machine, since process ids mean nothing after the next one."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def remove_tree(path: str) -> None:
    """Remove a folder or file; tries again for seconds, since a writer may just be ending.

    Such as the copying of a snapshot's data, which goes on for a moment when its parent is killed.
    """
    for attempt in range(REMOVALS):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(path)
        if not os.path.lexists(path):
            return
        time.sleep(min(0.02 * (attempt + 1), 0.1))


def remove_empty_parents(folder: str) -> None:
    """Remove `runs` and the state root when the last run is gone."""
    runs = os.path.dirname(folder)
    for parent in (runs, os.path.dirname(runs)):
        with contextlib.suppress(OSError):
            os.rmdir(parent)


def remove_cgroups(listing: str) -> None:
    """End what is in the control groups that a file lists, and remove them, deepest first."""
    try:
        with open(listing, encoding="utf-8") as file:
            paths = [line.strip() for line in file if line.strip()]
    except OSError:
        return
    for path in sorted(set(paths), key=len, reverse=True):
        _remove_cgroup(path)


def _remove_cgroup(path: str) -> None:
    for attempt in range(50):
        try:
            os.rmdir(path)
        except FileNotFoundError:
            return
        except OSError:
            _kill_cgroup(path)
            time.sleep(0.002 * attempt)
        else:
            return


def _kill_cgroup(path: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        with open(os.path.join(path, "cgroup.procs"), encoding="ascii") as file:
            found = [ProcessId.of(int(line)) for line in file]
        sweep.kill_all(process for process in found if process is not None)


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
            link.sendall(json.dumps({"error": str(error)}).encode() + b"\n")
