"""Leases: what a run told the gateway is undone when the run ends, however it ends.

A run holds a connection open. When that closes, and the death of the run's process closes it as
well, its scripts, faults, signals and limits go, and calls that its holds have held are let go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from stackproof_gateway.delivery import Presence, chunk

SECONDS_BETWEEN_SIGNS = 15.0
"""A byte is sent so often, for what closes idle connections on the way."""

Undo = Callable[[], None]


@dataclass(frozen=True)
class Note:
    """Takes what undoes the changes of a run.

    Attributes:
        lease: The run's lease; empty for changes that stay.
        changes: What undoes them.
    """

    lease: str
    changes: list[Undo]

    def __call__(self, undo: Undo) -> None:
        """Take what undoes one more change."""
        self.changes.append(undo)


class UnknownLeaseError(Exception):
    """A lease that nobody holds: it has not begun, or the gateway was restarted since."""


class Leases:
    """What undoes the changes of each run."""

    def __init__(self) -> None:
        self._changes: dict[str, list[Undo]] = {}
        self._ended: set[str] = set()

    def begin(self, name: str) -> None:
        """Take note of a run.

        Raises:
            ValueError: If there was one of this name.
        """
        if name in self._changes or name in self._ended:
            raise ValueError(f"the lease {name} was used before")
        self._changes[name] = []

    def end(self, name: str) -> None:
        """Undo the changes of a run, the last one first."""
        self._ended.add(name)
        for undo in reversed(self._changes.pop(name, [])):
            undo()

    def refuse_ended(self, name: str) -> None:
        """Refuse a run whose lease has ended: what it expects is not there any more.

        Raises:
            ValueError: If it has.
        """
        if name in self._ended:
            raise ValueError(
                "the connection that holds the lease of this run was lost, so the gateway has "
                "removed the run's scripts and faults; run the tests again"
            )

    def note_of(self, name: str) -> Note:
        """What takes note of the changes of a run.

        Args:
            name: Its lease; empty for changes that stay.

        Raises:
            UnknownLeaseError: If nobody holds it yet.
            ValueError: If it has ended.
        """
        self.refuse_ended(name)
        if not name:
            return Note("", [])
        if name not in self._changes:
            raise UnknownLeaseError(f"nobody holds the lease {name}")
        return Note(name, self._changes[name])


class HeldLease(Response):
    """The answer that lasts as long as a lease.

    Args:
        leases: All leases.
        name: This one.
    """

    media_type = "text/plain"

    def __init__(self, leases: Leases, name: str) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers()
        self._leases, self._name = leases, name

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send a byte from time to time, until the client goes."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        try:
            with Presence(receive) as presence:
                await send(start)
                while True:
                    await send(chunk(b"\n"))
                    await presence.pause(SECONDS_BETWEEN_SIGNS)
        finally:
            self._leases.end(self._name)
