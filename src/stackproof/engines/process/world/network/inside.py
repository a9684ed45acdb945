"""A thread of the network process that is inside the stack's network namespaces.

A socket stays in the namespace that it was made in, so what this thread makes, others may use.
Source: namespaces(7): a network namespace belongs to a thread, not to a process.
"""

from __future__ import annotations

import os
import queue
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from stackproof.engines.process.guard.loop import READ, Loop
from stackproof.reaper.kernel import CLONE_NEWNET, join, unshare

T = TypeVar("T")
OWN_NAMESPACE = "/proc/thread-self/ns/net"


class Inside:
    """Runs what has to be done inside the stack's namespaces, one thing after the other.

    Args:
        loop: The main thread's, in which answers arrive.
    """

    def __init__(self, loop: Loop) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._answers: deque[Callable[[], None]] = deque()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        loop.watch(self._bell, READ, self._take_answers)
        threading.Thread(target=self._run, daemon=True).start()

    def submit(self, job: Callable[[], T], then: Callable[[T | Exception], None]) -> None:
        """Do something inside; the main thread hears of its result or its failure."""

        def run() -> None:
            result: T | Exception
            try:
                result = job()
            except Exception as error:  # noqa: BLE001 - whoever asked for it must hear of it
                result = error
            self._answers.append(lambda: then(result))
            os.eventfd_write(self._bell, 1)

        self._jobs.put(run)

    def do(self, job: Callable[[], T]) -> T:
        """Do something inside, and wait for it.

        Raises:
            OSError: What the job has raised, or anything else that it has.
        """
        results: queue.SimpleQueue[tuple[bool, T | Exception]] = queue.SimpleQueue()

        def run() -> None:
            try:
                results.put((True, job()))
            except Exception as error:  # noqa: BLE001 - as above
                results.put((False, error))

        self._jobs.put(run)
        _, result = results.get()
        if isinstance(result, Exception):
            raise result
        return result

    def _run(self) -> None:
        while True:
            self._jobs.get()()

    def _take_answers(self, bell: int) -> None:
        os.eventfd_read(bell)
        while self._answers:
            self._answers.popleft()()


def new_namespace() -> int:
    """Take the calling thread into a new network namespace; gives a descriptor of it.

    Raises:
        OSError: If the kernel refuses.
    """
    unshare(CLONE_NEWNET)
    return os.open(OWN_NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)


def enter(namespace: int) -> None:
    """Take the calling thread into a network namespace.

    Raises:
        OSError: If the kernel refuses.
    """
    join(namespace, CLONE_NEWNET)


class Stock:
    """TCP sockets of a namespace, made ahead, since a connection must not wait for a thread.

    Args:
        inside: Makes them.
        namespace: Descriptor of the namespace.
    """

    LEAST, MOST = 16, 64

    def __init__(self, inside: Inside, namespace: int) -> None:
        self._inside = inside
        self._namespace = namespace
        self._sockets: list[socket.socket] = []
        self._is_ordered = False

    def take(self) -> socket.socket:
        """A socket that does not block.

        Raises:
            OSError: If none can be made.
        """
        if not self._sockets:
            self._sockets = self._inside.do(lambda: self._make(self.LEAST))
        found = self._sockets.pop()
        if len(self._sockets) < self.LEAST and not self._is_ordered:
            self._is_ordered = True
            self._inside.submit(lambda: self._make(self.MOST), self._put_in)
        return found

    def _make(self, count: int) -> list[socket.socket]:
        enter(self._namespace)
        made: list[socket.socket] = []
        try:
            while len(made) < count:
                made.append(socket.socket(type=socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
        except OSError:
            if not made:
                raise
        return made

    def _put_in(self, made: list[socket.socket] | Exception) -> None:
        self._is_ordered = False
        if not isinstance(made, Exception):
            self._sockets += made

    def close(self) -> None:
        """Close what is left; nothing is taken from here any more."""
        self._namespace = -1
        for one in self._sockets:
            one.close()
        self._sockets.clear()
