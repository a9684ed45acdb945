"""The server-sent events of one plan, read from a real socket in a thread."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

ARRIVES_WITHIN = 60.0  # seconds


@dataclass(frozen=True)
class StreamEvent:
    """One event."""

    name: str
    data: dict[str, Any]


@dataclass
class EventStream:
    """The events as they come; an end of the stream comes as an event named `end`."""

    url: str
    arrived: queue.Queue[StreamEvent] = field(default_factory=queue.Queue)

    def next(self) -> StreamEvent:
        """The next event.

        Raises:
            queue.Empty: If there is none for long.
        """
        return self.arrived.get(timeout=ARRIVES_WITHIN)

    def rest(self) -> list[StreamEvent]:
        """All events up to the end of the stream."""
        found = [self.next()]
        while found[-1].name != "end":
            found.append(self.next())
        return found[:-1]

    def read(self) -> None:
        """Read until the stream ends."""
        name = ""
        with httpx.stream("GET", self.url, timeout=ARRIVES_WITHIN) as answer:
            for line in answer.iter_lines():
                kind, _, value = line.partition(": ")
                if kind == "event":
                    name = value
                elif kind == "data":
                    self.arrived.put(StreamEvent(name, json.loads(value)))
        self.arrived.put(StreamEvent("end", {}))


@contextmanager
def watching(url: str) -> Iterator[EventStream]:
    """An event stream that is open, once its first event was taken."""
    stream = EventStream(url)
    reader = threading.Thread(target=stream.read, daemon=True)
    reader.start()
    yield stream
    reader.join(timeout=ARRIVES_WITHIN)
    assert not reader.is_alive(), "the stream does not end"
