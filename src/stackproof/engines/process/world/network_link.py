"""The supervisor's link to the network process: starts it, asks it, and hears what it tells."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import stackproof
from stackproof.engines.process.capture import LogFile, Pipe

if TYPE_CHECKING:
    from stackproof.engines.process.children import Child, Children

PACKAGES = str(Path(stackproof.__file__).parents[1])
PROGRAM = "stackproof.engines.process.world.network"
LONGEST = 1 << 18
Answer = tuple[dict[str, Any], list[int]]
Event = dict[str, Any]


class NetworkError(Exception):
    """The network process could not do what it was asked for; the text says why."""


class NetworkLink:
    """The network process of a stack; it ends with this object, and with the supervisor.

    Args:
        loop: The running event loop.
        log: Where it writes what goes wrong.
        on_event: Takes what it tells.
        on_end: Called if it ends by itself; the stack has no network then.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        log: LogFile,
        on_event: Callable[[Event], None],
        on_end: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._loop = loop
        self._log = log
        self._on_event = on_event
        self._on_end = on_end
        self._link: socket.socket | None = None
        self._last_id = 0
        self._asked: dict[int, asyncio.Future[Answer]] = {}

    def start(self, children: Children) -> None:
        """Start the process; what it is asked for waits until it is there.

        Raises:
            OSError: If it can't be started.
        """
        kind = socket.SOCK_SEQPACKET
        self._link, theirs = socket.socketpair(socket.AF_UNIX, kind)
        self._link.setblocking(False)  # noqa: FBT003 - the standard library's signature
        err = Pipe(self._loop, self._log, "err")
        with theirs:
            try:
                child = children.spawn(
                    [sys.executable, "-S", "-P", "-m", PROGRAM],
                    env=_environment(),
                    cwd="/",
                    streams=(theirs.fileno(), err.writing, err.writing),
                )
            finally:
                err.started()
        self._loop.add_reader(self._link, self._read)
        child.ended.add_done_callback(lambda _: self._note_end(child))

    @property
    def runs(self) -> bool:
        """Whether the process can be asked."""
        return self._link is not None

    def close(self) -> None:
        """End the process, and with it all networks of the stack."""
        if self._link is None:
            return
        self._loop.remove_reader(self._link)
        self._link.close()
        self._link = None
        self._fail_all("the stack's network was closed")

    async def ask(self, kind: str, **values: object) -> Answer:
        """Ask the process for something, and wait for its answer.

        Args:
            kind: What is asked for.
            values: What it has to know.

        Returns:
            Its answer, and the descriptors that came with it, which belong to the caller.

        Raises:
            NetworkError: If it could not do it.
        """
        if self._link is None:
            raise NetworkError("the network process does not run")
        self._last_id += 1
        number = self._last_id
        answered: asyncio.Future[Answer] = self._loop.create_future()
        self._asked[number] = answered
        try:
            await self._send(json.dumps({"id": number, "do": kind, **values}).encode())
            answer, found = await answered
        finally:
            self._asked.pop(number, None)
        if "error" in answer:
            raise NetworkError(f"{_words(kind, values)}: {answer['error']}")
        return answer, found

    async def _send(self, data: bytes) -> None:
        """Send a message, as soon as there is room for it."""
        while self._link is not None:
            try:
                self._link.send(data)
            except BlockingIOError:
                await self._room_to_send()
            except OSError as error:
                raise NetworkError(f"the network process has gone: {error.strerror}") from error
            else:
                return

    async def _room_to_send(self) -> None:
        ready: asyncio.Future[None] = self._loop.create_future()
        assert self._link is not None  # noqa: S101 - seen by the caller
        self._loop.add_writer(self._link, _settle, ready)
        try:
            await ready
        finally:
            if self._link is not None:
                self._loop.remove_writer(self._link)

    def _read(self) -> None:
        assert self._link is not None  # noqa: S101 - it is read no more after `close`
        try:
            data, handles, _, _ = socket.recv_fds(self._link, LONGEST, 1)
        except BlockingIOError:
            return
        except OSError:
            data, handles = b"", []
        if not data:
            self._loop.remove_reader(self._link)
            return
        message = json.loads(data)
        if "event" in message:
            self._on_event(message["event"])
            return
        asked = self._asked.get(message["id"])
        if asked is None or asked.done():
            for handle in handles:
                os.close(handle)
        else:
            for handle in handles:
                os.set_inheritable(handle, False)  # noqa: FBT003 - as above
            asked.set_result((message, handles))

    def _note_end(self, child: Child) -> None:
        if self._link is not None:
            text = f"the network process has ended with status {child.ended.result()}"
            self.close()
            self._on_end(text)

    def _fail_all(self, text: str) -> None:
        for asked in self._asked.values():
            if not asked.done():
                asked.set_result(({"error": text}, []))


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _words(kind: str, values: Mapping[str, object]) -> str:
    """What was asked for, and of whom."""
    subject = [str(values[key]) for key in ("name", "service", "one", "other") if key in values]
    return " ".join([str(values.get("what", kind)), *subject])


def _environment() -> dict[str, str]:
    return {
        "PYTHONPATH": PACKAGES,
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": os.environ.get("LANG", "C.UTF-8"),
    }
