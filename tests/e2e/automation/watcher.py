"""A watcher of the notifier: a real WebSocket, read by a thread, with all frames kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.automation.states import MACHINES
from tests.e2e.automation.user import PATIENCE
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from stackproof import wait_until
from stackproof.oracle import Oracle

Frame = dict[str, Any]


class Watcher:
    """A connection that has had its welcome."""

    def __init__(self, connection: ClientConnection) -> None:
        self.frames: list[Frame] = []
        self._connection = connection
        self._reader = threading.Thread(target=self._read, name="watcher", daemon=True)
        self._reader.start()
        self.wait_for(lambda frame: frame["type"] == "welcome", "the welcome")

    def subscribe(self, text: str, after: int | None = None) -> Frame:
        """Subscribe, and wait until the notifier says so."""
        wanted = {"type": "subscribe", "filter": text}
        self.send(wanted if after is None else {**wanted, "after": after})
        return self.wait_for(
            lambda frame: frame["type"] == "subscribed" and frame["filter"] == text,
            f"the subscription to {text}",
        )

    def send(self, frame: Frame) -> None:
        """Say something."""
        self._connection.send(json.dumps(frame))

    def answer_to(self, frame: Frame, kind: str) -> Frame:
        """Say something, and wait for the next frame of a kind."""
        before = len(self.frames)
        self.send(frame)
        wait_until(
            lambda: any(one["type"] == kind for one in self.frames[before:]),
            timeout=PATIENCE,
            what=f"a {kind} after {frame}",
        )
        return next(one for one in self.frames[before:] if one["type"] == kind)

    def wait_for(self, wanted: Callable[[Frame], bool], what: str) -> Frame:
        """Wait for a frame."""
        wait_until(
            lambda: any(wanted(frame) for frame in list(self.frames)),
            timeout=PATIENCE,
            what=what,
            progress=lambda _: len(self.frames),
        )
        return next(frame for frame in self.frames if wanted(frame))

    def wait_for_end_of(self, execution: int, state: str) -> None:
        """Wait until the watcher was told that an execution has ended so."""
        self.wait_for(
            lambda frame: (
                frame.get("entity_id") == execution
                and frame.get("entity_type") == "execution"
                and frame["payload"].get("status") == state
            ),
            f"execution {execution} is {state}",
        )

    @property
    def told(self) -> list[Frame]:
        """The notifications, in the order of their arrival."""
        return [frame for frame in list(self.frames) if frame["type"] == "notification"]

    @property
    def positions(self) -> list[int]:
        """The positions of the notifications."""
        return [frame["position"] for frame in self.told]

    def states_of(self, execution: int) -> list[str]:
        """Each state of an execution that the watcher was told, in order."""
        return [
            frame["payload"]["status"]
            for frame in self.told
            if (frame["entity_type"], frame["entity_id"]) == ("execution", execution)
        ]

    def judged_by(self, oracle: Oracle, name: str) -> None:
        """Let the oracle compare what the watcher was told with what others saw."""
        for frame in self.told:
            machine = MACHINES.get(frame["entity_type"])
            state = frame["payload"].get("status")
            if machine is not None and state is not None:
                watch = oracle.watch(machine, str(frame["entity_id"]))
                watch.notified(name).saw(state, order=frame["position"])

    def _read(self) -> None:
        try:
            for text in self._connection:
                self.frames.append(json.loads(text))
        except ConnectionClosed:
            pass


@contextmanager
def watching(url: str, token: str) -> Iterator[Watcher]:
    """Connect, and wait for the welcome."""
    address = url.replace("http://", "ws://") + "/ws"
    headers = {"Authorization": f"Bearer {token}"}
    with connect(address, additional_headers=headers, open_timeout=PATIENCE) as connection:
        yield Watcher(connection)
