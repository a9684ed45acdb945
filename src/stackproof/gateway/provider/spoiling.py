"""An answer of the real provider, or a recorded one, that a fault or a script cuts or spoils."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from stackproof.gateway.delivery import CutResponse, Presence, malformed
from stackproof.gateway.encoding import from_bytes, to_bytes
from stackproof.gateway.scripts import Pacing

FIRST_FAILURE = 400
REASONS = ("finish_reason", "stop_reason")
ENDS = ("message_delta", "message_stop", "response.completed", "response.incomplete")
_EVENT_END = re.compile(rb"\r?\n\r?\n")


def spoilt(response: Response, pacing: Pacing, error: bytes) -> Response:
    """The answer as a pacing lets it travel; one that is an error already stays as it is.

    Args:
        response: The answer.
        pacing: How it travels.
        error: The provider's error as an event.
    """
    if response.status_code >= FIRST_FAILURE:
        return response
    if isinstance(response, StreamingResponse):
        return SpoiltStream(response, _bytes_of(response.body_iterator), pacing, error)
    body = bytes(response.body)
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        return SpoiltStream(response, _once(body), pacing, error)
    if pacing.cut_after is not None:
        return CutResponse(body, media_type="application/json")
    if pacing.malformed_after is not None:
        body = body[: len(body) // 2]
    elif not pacing.ends:
        body = _without_reason(body)
    return Response(body, response.status_code, media_type="application/json")


async def _once(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


async def _bytes_of(chunks: Any) -> AsyncGenerator[bytes, None]:
    async with aclosing(chunks):
        async for one in chunks:
            yield one


def _without_reason(body: bytes) -> bytes:
    """A plain answer that does not say why it ended."""
    try:
        value = from_bytes(body)
    except (ValueError, RecursionError):
        return body
    choices = value.get("choices") if isinstance(value, dict) else None
    for place in (value, *(choices if isinstance(choices, list) else ())):
        for reason in REASONS:
            if isinstance(place, dict) and reason in place:
                place[reason] = None
    if isinstance(value, dict) and value.get("object") == "response":
        value["status"] = "incomplete"
    return to_bytes(value)


def ends_answer(event: bytes) -> bool:
    """Whether an event belongs to the end of an answer: its reason, its usage, `[DONE]`."""
    line = next((one for one in event.splitlines() if one.startswith(b"data:")), b"")
    if line[5:].strip() == b"[DONE]":
        return True
    try:
        value = from_bytes(line[5:])
    except (ValueError, RecursionError):
        return False
    if not isinstance(value, dict):
        return False
    kind, choices = value.get("type"), value.get("choices")
    if isinstance(kind, str):
        return kind in ENDS or kind.endswith(".done")
    if not isinstance(choices, list):
        return False
    return not choices or any(isinstance(one, dict) and one.get("finish_reason") for one in choices)


class SpoiltStream(Response):
    """A stream of events that is cut, held up, or spoilt.

    What the client does not get any more is still read, so that it is priced and recorded.

    Args:
        original: The answer, for its head.
        chunks: Its bytes.
        pacing: How they travel.
        error: The provider's error as an event.
    """

    def __init__(
        self, original: Response, chunks: AsyncGenerator[bytes, None], pacing: Pacing, error: bytes
    ) -> None:
        self.status_code = original.status_code
        self.background = None
        self.raw_headers = [one for one in original.raw_headers if one[0] != b"content-length"]
        self._chunks, self._pacing, self._error = chunks, pacing, error

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        start = {"type": "http.response.start", "status": self.status_code,
                 "headers": self.raw_headers}  # fmt: skip
        await send(start)
        presence = Presence(receive)
        events = _events(self._chunks)
        try:
            async with aclosing(events):
                if self._pacing.first_token_after:
                    await presence.pause(self._pacing.first_token_after)
                whole = await self._send_events(events, send, presence)
                async for _ in events:
                    await presence.pause(0)
                if whole:
                    await send({"type": "http.response.body", "body": b""})
        except ClientDisconnect:
            pass
        finally:
            presence.close()

    async def _send_events(
        self, events: AsyncGenerator[bytes, None], send: Send, presence: Presence
    ) -> bool:
        """Send the events; False if the connection is to be cut instead of ended."""
        pacing, number = self._pacing, 0
        async for one in events:
            if number == pacing.cut_after:
                return False
            if number == pacing.error_after:
                await send(_chunk(self._error))
                return True
            if not pacing.ends and ends_answer(one):
                return True
            await presence.pause(pacing.between_tokens if number else 0)
            await send(_chunk(malformed(one) if number == pacing.malformed_after else one))
            number += 1
        return pacing.cut_after is None


def _chunk(body: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": True}


async def _events(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The events in a stream's bytes, however they were cut into chunks."""
    waiting = b""
    async with aclosing(chunks):
        async for chunk in chunks:
            waiting += chunk
            while found := _EVENT_END.search(waiting):
                yield waiting[: found.end()]
                waiting = waiting[found.end() :]
        if waiting:
            yield waiting
