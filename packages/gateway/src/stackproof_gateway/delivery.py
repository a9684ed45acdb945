"""How an answer travels: at once, slowly, held, cut short, or spoilt in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Self

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from stackproof_gateway.encoding import Closing
from stackproof_gateway.scripts import Pacing

EVENTS = "text/event-stream"
JSON = (b"content-type", b"application/json")
EVENTS_BETWEEN_LOOKS = 32
LONGEST_HOLD = 300.0
"""Seconds after which a hold that nobody releases ends by itself."""

_MALFORMED = b'data: {"id": "malformed", "choices": [{"delta": {"content": "cut he\n\n'

Done = Callable[[bool], None]
"""Told whether the client went away before the end."""


class Presence:
    """Whether the client is still there, watched from the first pause on.

    As a context it watches no more at the end, and lets a client go that has gone.

    Args:
        receive: Where the server tells that the client has gone.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_further: object) -> bool:
        self.close()
        return kind is ClientDisconnect

    def _watch(self) -> asyncio.Task[None]:
        if self._gone is None:
            self._gone = asyncio.ensure_future(self._until_gone())
        return self._gone

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            ClientDisconnect: If the client goes meanwhile.
        """
        gone = self._watch()
        if seconds == 0:
            await asyncio.sleep(0)
        else:
            await asyncio.wait({gone}, timeout=seconds)
        if gone.done():
            raise ClientDisconnect

    async def until(self, awaited: Awaitable[Any], seconds: float) -> bool:
        """Wait for something, and tell whether it happened in time.

        Raises:
            ClientDisconnect: If the client goes meanwhile.
        """
        gone, wanted = self._watch(), asyncio.ensure_future(awaited)
        try:
            await asyncio.wait({gone, wanted}, timeout=seconds, return_when="FIRST_COMPLETED")
            if gone.done():
                raise ClientDisconnect
            return wanted.done()
        finally:
            wanted.cancel()

    def close(self) -> None:
        """Watch no more."""
        if self._gone is not None:
            self._gone.cancel()


class EventStream(Response):
    """A stream of server-sent events.

    Args:
        events: The events; those of the end are `Closing`.
        pacing: How they travel.
        error: The provider's error as an event.
        done: Told how it ended.
        media_type: What it is, where the provider streams something else than events.
    """

    def __init__(
        self,
        events: Iterable[bytes],
        pacing: Pacing,
        error: bytes,
        done: Done,
        media_type: str = EVENTS,
    ) -> None:
        self.status_code, self.media_type = 200, media_type
        self.background = None
        self.init_headers()
        self._events, self._pacing, self._error, self._done = events, pacing, error, done

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        closed = True
        try:
            with Presence(receive) as presence:
                if self._pacing.first_token_after:
                    await presence.pause(self._pacing.first_token_after)
                whole = await self._send_events(send, presence)
                closed = False
                if whole:
                    await send({"type": "http.response.body", "body": b""})
        finally:
            self._done(closed)

    async def _send_events(self, send: Send, presence: Presence) -> bool:
        """Send the events; False if the connection is to be cut instead of ended."""
        pacing = self._pacing
        for number, event in enumerate(self._events):
            stop = pacing.stop_at(number)
            if stop == "error":
                await send(chunk(self._error))
            if stop or (not pacing.ends and isinstance(event, Closing)):
                return stop != "cut"
            if number and pacing.between_tokens:
                await presence.pause(pacing.between_tokens)
            elif number % EVENTS_BETWEEN_LOOKS == EVENTS_BETWEEN_LOOKS - 1:
                await presence.pause(0)  # lets the server notice that the client has gone
            await send(chunk(malformed(event) if number == pacing.malformed_after else event))
        return pacing.cut_after is None


def malformed(event: bytes) -> bytes:
    """An event of the same name whose data is no JSON."""
    name, newline, _ = event.partition(b"\n")
    return (name + newline if name.startswith(b"event:") else b"") + _MALFORMED


def chunk(body: bytes) -> dict[str, Any]:
    """A part of an answer, of which more is to come."""
    return {"type": "http.response.body", "body": body, "more_body": True}


class Json(Response):
    """A plain JSON answer; what else a response can be, it is not asked, as that takes a while.

    Args:
        body: The answer.
    """

    def __init__(self, body: bytes) -> None:
        self.status_code, self.background, self.body = 200, None, body
        self.raw_headers = [(b"content-length", b"%d" % len(body)), JSON]


class CutResponse(Response):
    """A plain answer whose connection breaks after half of its bytes."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send half of it; the server closes the connection of an answer that is not complete."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        await send(chunk(bytes(self.body)[: len(self.body) // 2]))


def plain(body: bytes, pacing: Pacing) -> Response:
    """A plain JSON answer, whole, cut, or spoilt."""
    if pacing.cut_after is not None:
        return CutResponse(body, media_type="application/json")
    if pacing.malformed_after is not None:
        body = body[: len(body) // 2]
    return Json(body)
