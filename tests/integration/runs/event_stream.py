"""A listener to server-sent events over a real connection, and what must be true of what it heard.

Framing as in WHATWG HTML, section 9.2.6, "Interpreting an event stream".
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from tests.integration.runs.history import note_event
from tests.integration.runs.scenario import DONE_WITHIN, NotYet

from stackproof import wait_until
from stackproof.oracle import Source

LAST = ("run.completed", "run.failed")


@dataclass(frozen=True)
class Event:
    """One event as it was received."""

    id: str
    type: str
    payload: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.id} {self.type}"


def read_events(lines: Iterable[str]) -> Iterator[Event | str]:
    """Turn lines into events and comments."""
    fields: dict[str, str] = {}
    for line in lines:
        if line.startswith(":"):
            yield line[1:].strip()
        elif line:
            name, _, value = line.partition(":")
            fields[name] = fields.get(name, "") + value.removeprefix(" ")
        elif fields:
            if "data" in fields:
                payload = json.loads(fields["data"])
                yield Event(fields.get("id", ""), fields.get("event", "message"), payload)
            fields = {}


@dataclass
class Listener:
    """Listens to a run in a thread of its own, from `start` until the stream ends or is cut.

    Attributes:
        url: The stream.
        after: `Last-Event-ID` to send, "" for none.
        cut_after: Closes the connection after so many events; None never does.
        source: Takes the events for the oracle, if it shall have them.
        events: What was heard so far.
        is_welcome: Whether the server has said anything.
        ended: How the stream ended; "" while it goes on.
    """

    url: str
    after: str = ""
    cut_after: int | None = None
    source: Source | None = None
    events: list[Event] = field(default_factory=list)
    is_welcome: bool = False
    ended: str = ""

    def start(self) -> Listener:
        """Connect and wait for the server's welcome."""
        threading.Thread(target=self._listen, daemon=True).start()
        wait_until(
            lambda: self.is_welcome or NotYet(self.ended or "no word from the server"),
            timeout=DONE_WITHIN,
            what=f"the stream {self.url} begins",
        )
        return self

    def wait_for_events(self, count: int, *, timeout: float = DONE_WITHIN) -> None:
        """Wait until at least so many events were heard."""
        wait_until(
            lambda: len(self.events) >= count or self._heard(),
            timeout=timeout,
            what=f"{count} events arrive",
        )

    def wait_for_end(self, *, timeout: float = DONE_WITHIN) -> list[Event]:
        """Wait until the stream has ended; returns all events."""
        wait_until(
            lambda: self.ended or self._heard(), timeout=timeout, what="the event stream ends"
        )
        return self.events

    def _heard(self) -> NotYet:
        last = f", the last: {self.events[-1]}" if self.events else ""
        return NotYet(f"{len(self.events)} events heard{last}; {self.ended or 'still open'}")

    def _listen(self) -> None:
        headers = {"Last-Event-ID": self.after} if self.after else {}
        try:
            with httpx.stream("GET", self.url, headers=headers, timeout=DONE_WITHIN) as answer:
                self.ended = self._receive(answer)
        except httpx.HTTPError as error:
            self.ended = f"{type(error).__name__}: {error}"

    def _receive(self, answer: httpx.Response) -> str:
        if answer.status_code != httpx.codes.OK:
            return f"refused with status {answer.status_code}"
        for one in read_events(answer.iter_lines()):
            self.is_welcome = True
            if isinstance(one, Event):
                self.events.append(one)
                if self.source is not None:
                    note_event(self.source, int(one.id), one.type, one.payload)
                if len(self.events) == self.cut_after:
                    return "cut by the client"
        return "closed by the server"


def assert_unbroken(events: Sequence[Event], *, after: int = 0) -> None:
    """The ids go up by one from the first to the last: in order, without gap, without duplicate."""
    for number, event in enumerate(events, start=after + 1):
        seen = f"{event} came where {number} was due; ids: {[one.id for one in events]}"
        assert event.id.isdigit(), seen
        assert int(event.id) >= number, f"duplicate or out of order: {seen}"
        assert int(event.id) == number, f"gap: {seen}"


def assert_ended_well(listener: Listener, last: str = "run.completed") -> None:
    """The terminal event was the last one, the only one, and the server closed the stream."""
    types = [event.type for event in listener.events]
    assert types, f"no event was heard; {listener.ended}"
    assert types[-1] == last, f"the last event is {listener.events[-1]}; {listener.ended}"
    assert sum(one in LAST for one in types) == 1, f"more than one terminal event: {types}"
    assert listener.ended == "closed by the server"
