"""Asking a supervisor over its control socket, with a bound on how long it may keep silent."""

from __future__ import annotations

import json
import math
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from stackproof.engines.process.socket_path import reachable
from stackproof.errors import NoAnswer, NoStack, StackproofError
from stackproof.reaper.leftovers import read_run, refused
from stackproof.reaper.ownership import NotOurs, opened
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.sweep import ProcessId

Answer = dict[str, Any]

Silent = Callable[[float], None]
"""Is told for how many seconds there was no answer; raises where that is too long."""


@dataclass(frozen=True)
class Patience:
    """How long a supervisor may keep silent.

    Attributes:
        stopped: Seconds for one that a signal has stopped.
        running: Seconds for one that runs: a busy machine may hold it up.
    """

    stopped: float = 3.0
    running: float = 30.0


PATIENCE = Patience()


class Questions:
    """Asks the supervisor of a run.

    A question may take long, such as a command's run. Whoever waits for its answer asks in between
    whether the supervisor still answers at all.

    Args:
        run: The run.
        patience: How long the supervisor may keep silent.
    """

    def __init__(self, run: RunFolder, patience: Patience = PATIENCE) -> None:
        self.run_folder = run
        self.patience = patience

    def ask(
        self, op: str, *, streams: Sequence[int] = (), within: float | None = None, **fields: Any
    ) -> Iterator[Answer]:
        """Send a request and yield each answer; the last one has `done`.

        Args:
            op: What is asked.
            streams: File descriptors that go with it.
            within: Seconds that it may keep silent at the most, whatever it is busy with.
            **fields: What the operation needs to know.

        Raises:
            NoStack: If there is no supervisor, or it ends before it is done.
            NoAnswer: If it does not answer.
            TimeoutError: If it answers, but not to this within so many seconds.
            StackproofError: If it can't do what it is asked for.
        """
        request = json.dumps({"op": op, **fields}).encode() + b"\n"

        def silent(waited: float) -> None:
            self._ensure_it_answers(waited)
            if within is not None and waited >= within:
                raise TimeoutError

        for answer in self._answers(request, streams, silent):
            if "error" in answer:
                raise StackproofError(answer["error"]["what"])
            yield answer
            if answer.get("done"):
                return
        raise self._ended(op)

    def hold(self, op: str, **fields: Any) -> socket.socket:
        """Send a request whose effect ends when the connection is closed; gives the connection.

        Raises:
            NoStack: If there is no supervisor.
            StackproofError: If it can't do what it is asked for.
        """
        request = json.dumps({"op": op, **fields}).encode() + b"\n"
        link = self._connect(self._ensure_it_answers)
        try:
            _send(link, request, (), self._ensure_it_answers)
            answer = json.loads(next(_lines(link, self._ensure_it_answers), b"{}"))
        except (BrokenPipeError, ConnectionResetError):
            answer = {}
        except BaseException:
            link.close()
            raise
        if answer.get("done"):
            return link
        link.close()
        if "error" in answer:
            raise StackproofError(answer["error"]["what"])
        raise self._ended(op)

    def _ended(self, op: str) -> NoStack:
        return NoStack(
            f"{self.run_folder.project} ended before it had answered `{op}`",
            remedy="start it with `invoke up`",
        )

    def _answers(self, request: bytes, streams: Sequence[int], silent: Silent) -> Iterator[Answer]:
        """Each line of an answer; ends where the supervisor closes the connection."""
        with closing(self._connect(silent)) as link:
            try:
                _send(link, request, streams, silent)
                yield from map(json.loads, _lines(link, silent))
            except (BrokenPipeError, ConnectionResetError):
                return

    def _connect(self, silent: Silent) -> socket.socket:
        self._refuse_foreign()
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        link.settimeout(self.patience.stopped)
        since = time.monotonic()
        try:
            with reachable(self.run_folder.control_socket) as address:
                while True:
                    try:
                        link.connect(address)
                    except (TimeoutError, BlockingIOError):  # too many wait for a frozen one
                        silent(time.monotonic() - since)
                    else:
                        return link
        except OSError:
            link.close()
            raise NoStack(
                f"{self.run_folder.project} is not up", remedy="start it with `invoke up`"
            ) from None
        except BaseException:
            link.close()
            raise

    def _refuse_foreign(self) -> None:
        try:
            with opened(str(self.run_folder.path)):
                return
        except NotOurs as error:
            raise refused(error) from None
        except OSError:
            return  # there is nothing to connect to

    def _ensure_it_answers(self, waited: float) -> None:
        """Ask whether it answers at all, after a question had no answer for some time.

        Raises:
            NoAnswer: If it does not.
        """
        self._refuse_silence(waited, allowed=math.inf)
        try:
            for _ in self._answers(b'{"op": "ping"}\n', (), self._refuse_silence):
                return
        except NoStack:
            return  # it has ended, which the question itself will notice

    def _refuse_silence(self, waited: float, allowed: float | None = None) -> None:
        state = read_run(self.run_folder.path)
        process = None if state is None else state.supervisor
        is_stopped = process is not None and process.is_stopped()
        if is_stopped or waited >= (allowed or self.patience.running):
            raise _no_answer(self.run_folder.project, process, waited, is_stopped=is_stopped)


def _send(link: socket.socket, request: bytes, streams: Sequence[int], silent: Silent) -> None:
    since = time.monotonic()
    while request:
        try:
            sent = socket.send_fds(link, [request], list(streams))
        except TimeoutError:
            silent(time.monotonic() - since)
        else:
            request, streams = request[sent:], ()


def _lines(link: socket.socket, silent: Silent) -> Iterator[bytes]:
    received, since = b"", time.monotonic()
    while True:
        try:
            data = link.recv(65536)
        except TimeoutError:
            silent(time.monotonic() - since)
            continue
        if not data:
            return
        *lines, received = (received + data).split(b"\n")
        yield from lines
        since = time.monotonic()


def _no_answer(
    project: str, process: ProcessId | None, waited: float, *, is_stopped: bool
) -> NoAnswer:
    name = "its process" if process is None else f"process {process.pid}"
    state = "is stopped (state T in /proc)" if is_stopped else "is running, but does not answer"
    go_on = f"`kill -CONT {process.pid}` lets it go on; " if process and is_stopped else ""
    return NoAnswer(
        f"the supervisor of {project}",
        waited=waited,
        observed=f"{name} {state}",
        remedy=f"{go_on}`invoke down` ends {project} by force",
    )
